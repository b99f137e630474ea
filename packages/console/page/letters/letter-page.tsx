import { useLocation, useRoute } from 'preact-iso'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { WholeLetterView } from '../../src/api/schemas/letters.ts'
import { refresh, useAnswer } from '../api/answers.ts'
import { act } from '../api/client.ts'
import { session } from '../api/session.ts'
import { ActButton } from '../parts/act-button.tsx'
import { ReasonDialog } from '../parts/dialog.tsx'
import { Badge, Facts, Loading, Problem, Section } from '../parts/panels.tsx'
import { Text, Why } from '../parts/text.tsx'
import { Time } from '../parts/time.tsx'
import { useTitle } from '../parts/title.ts'
import { say } from '../parts/toast.tsx'
import { whose } from './groups.tsx'
import { Headers, History, Payload, Stack } from './letter-parts.tsx'

/** One letter whole. */
export function LetterPage(): JSX.Element {
  const { params } = useRoute()
  const { data: letter, problem } = useAnswer<WholeLetterView>(`/letters/${params['seq']}`)
  useTitle(`Letter ${params['seq']}`)
  if (problem && letter?.seq !== Number(params['seq']))
    return (
      <>
        <h1 tabIndex={-1}>Letter {params['seq']}</h1>
        <Problem problem={problem} />
        <p>
          <a href="/letters">All letters</a>
        </p>
      </>
    )
  if (letter?.seq !== Number(params['seq'])) return <Loading what="the letter" />
  return (
    <article>
      <nav class="crumbs" aria-label="Where this is">
        <a href="/letters?state=open">Dead letters</a> /{' '}
        <a href={`/letters?group=${letter.group}`}>group {letter.group}</a>
      </nav>
      <div class="page-head">
        <h1 tabIndex={-1}>
          Letter {letter.seq} <Badge kind={letter.state}>{letter.state}</Badge>
        </h1>
        <Buttons letter={letter} />
      </div>
      {problem && <Problem problem={problem} />}
      <p class="headline">
        <code>{letter.code}</code> <Why code={letter.code} reason={letter.reason} />
      </p>
      <LetterFacts letter={letter} />
      <Payload letter={letter} />
      {letter.stack && <Stack stack={letter.stack} />}
      <Section title="Attempts" aside={<span class="aside">{letter.attempts} in all</span>}>
        <ol class="attempts">
          {letter.attemptTimes.map((at) => (
            <li key={at}>
              <Time at={at} />
            </li>
          ))}
        </ol>
        {letter.attemptTimes.length === 0 && <p class="none">Their times were not written down.</p>}
      </Section>
      <History letter={letter} />
      <Headers letter={letter} />
    </article>
  )
}

function LetterFacts({ letter }: { letter: WholeLetterView }): JSX.Element {
  const text = (value: string | null | undefined): JSX.Element | undefined => (value ? <Text>{value}</Text> : undefined)
  const { origin, traceId } = letter
  const jaeger = session.value?.jaegerUrl
  const trace =
    traceId && jaeger ? (
      <a href={`${jaeger}/trace/${traceId}`} rel="noreferrer" target="_blank">
        {traceId} in Jaeger
      </a>
    ) : (
      text(traceId)
    )
  return (
    <Facts
      of={[
        ['Written', <Time at={letter.at} />],
        ['Handler', text(`${whose(letter)}${letter.serviceVersion ? ` ${letter.serviceVersion}` : ''}`)],
        ['Error', text(letter.errorClass)],
        ['Event', text(letter.type)],
        ['Event id', letter.id && <a href={`/journey?of=${encodeURIComponent(letter.id)}`}>{text(letter.id)}</a>],
        ['Key', letter.key && <a href={`/letters?key=${encodeURIComponent(letter.key)}`}>{text(letter.key)}</a>],
        [
          'Holds its key',
          letter.holdsKey ? 'yes: later events of its key wait until it is redriven or discarded' : undefined,
        ],
        ['Correlation', text(letter.correlationId)],
        ['Trace', trace],
        ['Stands at', text(`${origin.stream} ${origin.seq} (${origin.subject})`)],
        ['Stored', origin.publishedAt && <Time at={origin.publishedAt} />],
        ['Sent again', letter.redrives > 0 ? `${letter.redrives} times` : undefined],
        ['Last run', letter.run && <a href={`/runs/${letter.run}`}>{letter.run}</a>],
      ]}
    />
  )
}

/** Undefined: its payload can be edited. */
function whyNoEdit({ payload: { form } }: WholeLetterView): string | undefined {
  if (form === 'json' || form === 'text') return undefined
  return form === 'binary'
    ? 'Its payload is bytes that are no text: no editor of text would keep them as they are.'
    : 'It has no payload to edit.'
}

function Buttons({ letter }: { letter: WholeLetterView }): JSX.Element {
  const [deciding, setDeciding] = useState<{ on: 'discard' | 'reopen'; seen: number }>()
  const { route } = useLocation()
  const decide = async (reason: string): Promise<void> => {
    await act(`/letters/${letter.seq}/${deciding!.on}`, { reason, seen: deciding!.seen })
    await refresh('/letters')
    say(`Letter ${letter.seq} is ${deciding!.on === 'discard' ? 'discarded' : 'open again'}`)
  }
  // What is decided on is what was looked at when the dialog was opened.
  const open = (on: 'discard' | 'reopen'): void => setDeciding({ on, seen: letter.recordSeq })
  return (
    <div class="buttons">
      {letter.state === 'open' && letter.kind === 'message' && (
        <ActButton kind="primary" isAllowed onAct={() => route(`/redrive?seqs=${letter.seq}`)}>
          Redrive…
        </ActButton>
      )}
      {letter.state === 'open' && letter.kind === 'message' && (
        <ActButton
          isAllowed={whyNoEdit(letter) === undefined}
          why={whyNoEdit(letter) ?? ''}
          onAct={() => route(`/letters/${letter.seq}/edit`)}
        >
          Edit…
        </ActButton>
      )}
      {letter.state === 'open' && <ActButton onAct={() => open('discard')}>Discard…</ActButton>}
      {(letter.state === 'discarded' || letter.state === 'late') && (
        <ActButton onAct={() => open('reopen')}>Reopen…</ActButton>
      )}
      {deciding && (
        <ReasonDialog
          title={deciding.on === 'discard' ? `Discard letter ${letter.seq}?` : `Open letter ${letter.seq} again?`}
          action={deciding.on === 'discard' ? 'Discard' : 'Reopen'}
          onConfirm={decide}
          onClose={() => setDeciding(undefined)}
        >
          <p>
            {deciding.on === 'discard'
              ? 'It stays where it is and can be opened again; no redrive sends it any more.'
              : 'It must be done after all: a redrive sends it again.'}
          </p>
        </ReasonDialog>
      )}
    </div>
  )
}
