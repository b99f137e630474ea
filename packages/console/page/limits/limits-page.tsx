import type { JSX } from 'preact'
import type { LimitsView } from '../../src/api/schemas/limits.ts'
import { useAnswer } from '../api/answers.ts'
import { useSamples } from '../api/live.ts'
import { Loading, Missing, Problem, Scroll, Section } from '../parts/panels.tsx'
import { Text } from '../parts/text.tsx'
import { bytes, number } from '../parts/time.tsx'
import { useTitle } from '../parts/title.ts'
import { handlerPath } from '../topology/handler-node.tsx'
import { Findings } from './findings.tsx'
import { Share } from './share.tsx'
import { StreamTable } from './stream-table.tsx'

/** What bounds this mesh now, and what is wrong with it. */
export function LimitsPage(): JSX.Element {
  const { data, problem } = useAnswer<LimitsView>('/limits')
  useTitle('Limits')
  useSamples('/limits')
  return (
    <>
      <div class="page-head">
        <h1 tabIndex={-1}>Limits</h1>
        <p class="lede">What bounds this mesh now, how much of it is left, and what wants mending.</p>
      </div>
      <Findings />
      {problem && <Problem problem={problem} />}
      {!data && !problem && <Loading what="the limits" />}
      {data?.missing.map((what) => (
        <Missing key={what} what={what} />
      ))}
      {data && (
        <>
          <Section title="Streams">
            <StreamTable streams={data.streams} />
          </Section>
          <InHand durables={data.durables} />
          <Account rows={data.account} />
        </>
      )}
    </>
  )
}

function InHand({ durables }: { durables: LimitsView['durables'] }): JSX.Element {
  return (
    <Section
      title="In hand"
      aside={<span class="aside">delivered and not acknowledged; at its limit nothing more is delivered</span>}
    >
      <Scroll label="In hand">
        <table>
          <caption class="unseen">What handlers have in hand, of what they may have</caption>
          <thead>
            <tr>
              <th scope="col">Handler</th>
              <th scope="col">Durable</th>
              <th scope="col">In hand</th>
            </tr>
          </thead>
          <tbody>
            {durables.map((one) => (
              <tr key={`${one.stream} ${one.durable}`}>
                <td>
                  <a href={handlerPath(one)} data-row>
                    <Text>{`${one.service}/${one.handler}`}</Text>
                  </a>
                </td>
                <td>
                  <Text>{`${one.stream} > ${one.durable}`}</Text>
                </td>
                <td>
                  <Taken used={one.ackPending} most={one.maxAckPending} show={number} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Section>
  )
}

function Account({ rows }: { rows: LimitsView['account'] }): JSX.Element | null {
  if (rows.length === 0) return null
  return (
    <Section title="The account">
      <Scroll label="The account">
        <table>
          <caption class="unseen">Limits of the JetStream account</caption>
          <thead>
            <tr>
              <th scope="col">What</th>
              <th scope="col">Used</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ what, unit, used, most }) => (
              <tr key={what}>
                <td>{what}</td>
                <td>
                  <Taken used={used} most={most} show={unit === 'bytes' ? bytes : number} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Section>
  )
}

/** A limit counts as near from here on. */
const NEAR = 0.7

type TakenProps = { used: number; most: number | null; show: (value: number) => string }

function Taken({ used, most, show }: TakenProps): JSX.Element {
  if (most === null) return <>{show(used)}, no limit</>
  return (
    <>
      {show(used)} of {show(most)}
      <Share used={used / most} isBad={used / most >= NEAR} />
    </>
  )
}
