import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { WholeLetterView } from '../../src/api/schemas/letters.ts'
import { act } from '../api/client.ts'
import { mayActOnAll } from '../api/session.ts'
import { ActButton } from '../parts/act-button.tsx'
import { CopyButton } from '../parts/copy-button.tsx'
import { ReasonDialog } from '../parts/dialog.tsx'
import { Badge, Scroll, Section } from '../parts/panels.tsx'
import { Text } from '../parts/text.tsx'
import { Changes } from './changes.tsx'
import { bytes, Time } from '../parts/time.tsx'

const FORMS = {
  json: 'JSON',
  text: 'text',
  binary: 'bytes that are no text',
  empty: 'empty',
  'left-out': 'left out',
  expired: 'gone',
  hidden: 'hidden',
} as const

const INSTEAD: Partial<Record<WholeLetterView['payload']['form'], string>> = {
  empty: 'The event has no payload.',
  'left-out': 'It did not fit beside the headers of the letter; its bytes are still in its stream.',
  expired: 'The events aged out before their handler was past them; the archive may have them.',
}

export function Payload({ letter }: { letter: WholeLetterView }): JSX.Element {
  const { seq } = letter
  const [revealed, setRevealed] = useState<WholeLetterView>()
  const payload = (revealed?.seq === seq ? revealed : letter).payload
  const isHidden = payload.hidden > 0 || payload.withheld !== undefined
  const aside = (
    <span class="aside">
      {FORMS[payload.form]}, {bytes(payload.bytes)} {isHidden && <RevealButton seq={seq} onRevealed={setRevealed} />}
      {payload.text !== undefined && (
        <>
          {!payload.isCut && payload.form !== 'binary' && <CopyButton text={payload.text} what="the payload" />}
          <a class="button" href={`/api/letters/${seq}/payload`} download={`letter-${seq}.bin`}>
            Download
          </a>
        </>
      )}
    </span>
  )
  return (
    <Section title="Payload" aside={aside}>
      {payload.text === undefined ? (
        <p class="none">
          <Text>{payload.withheld ? `Hidden: ${payload.withheld}.` : (INSTEAD[payload.form] ?? '')}</Text>
        </p>
      ) : (
        <Scroll label="Payload">
          <pre>
            <Text lines>{payload.text}</Text>
          </pre>
        </Scroll>
      )}
      {payload.hidden > 0 && (
        <p class="none">
          {payload.hidden === 1 ? 'One value is' : `${payload.hidden} values are`} hidden: the contract marks what is
          there as sensitive.
        </p>
      )}
      {payload.isCut && <p class="none">Only its beginning is shown; the download has all.</p>}
    </Section>
  )
}

/** For admins: what is sensitive, once, with a reason. */
function RevealButton({
  seq,
  onRevealed,
}: {
  seq: number
  onRevealed: (letter: WholeLetterView) => void
}): JSX.Element {
  const [isAsking, setAsking] = useState(false)
  return (
    <>
      <ActButton isAllowed={mayActOnAll.value} why="This needs an admin." onAct={() => setAsking(true)}>
        Reveal…
      </ActButton>
      {isAsking && (
        <ReasonDialog
          title={`Show what is sensitive in letter ${seq}?`}
          action="Reveal"
          onConfirm={async (reason) => onRevealed(await act<WholeLetterView>(`/letters/${seq}/reveal`, { reason }))}
          onClose={() => setAsking(false)}
        >
          <p>It is shown on this page until you leave it.</p>
        </ReasonDialog>
      )}
    </>
  )
}

export function Stack({ stack }: { stack: string }): JSX.Element {
  return (
    <Section title="Stack" aside={<CopyButton text={stack} what="the stack" />}>
      <Scroll label="Stack">
        <pre>
          <Text lines>{stack}</Text>
        </pre>
      </Scroll>
    </Section>
  )
}

export function Headers({ letter: { headers } }: { letter: WholeLetterView }): JSX.Element {
  return (
    <Section title="Headers" aside={<span class="aside">of the original, {headers.length}</span>}>
      <Scroll label="Headers">
        <table class="plain">
          <caption class="unseen">Headers of the original message</caption>
          <tbody>
            {headers.map(([name, value], at) => (
              <tr key={at}>
                <th scope="row">
                  <Text>{name}</Text>
                </th>
                <td>
                  <Text>{value}</Text>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Section>
  )
}

const DONE: Readonly<Record<string, string>> = {
  claimed: 'redriven',
  ok: 'resolved',
  failed: 'failed again',
  discarded: 'discarded',
  reopened: 'reopened',
}

/** What was done with it, and by whom. */
export function History({ letter: { history } }: { letter: WholeLetterView }): JSX.Element {
  return (
    <Section title="What was done with it">
      {history.length === 0 && <p class="none">Nothing yet.</p>}
      <ol class="history">
        {history.map((step, at) => (
          <li key={at}>
            <Time at={step.at} /> <Badge kind={BADGES[step.kind] ?? step.kind}>{DONE[step.kind] ?? step.kind}</Badge>
            {step.who && (
              <span>
                by <Text>{step.who}</Text>
              </span>
            )}
            {step.run && (
              <span>
                in run <a href={`/runs/${step.run}`}>{step.run}</a>
              </span>
            )}
            {(step.reason ?? step.message) && (
              <q>
                <Text>{step.reason ?? step.message ?? ''}</Text>
              </q>
            )}
            {step.changes && <Changes changes={step.changes} />}
          </li>
        ))}
      </ol>
    </Section>
  )
}

const BADGES: Readonly<Record<string, string>> = {
  claimed: 'redriven',
  ok: 'resolved',
  failed: 'open',
  reopened: 'open',
}
