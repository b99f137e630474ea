import { useRoute } from 'preact-iso'
import type { JSX } from 'preact'
import type { HandlerPageView, HandlerView } from '../../src/api/schemas/handlers.ts'
import { useAnswer } from '../api/answers.ts'
import { useSamples } from '../api/live.ts'
import { Chart } from '../parts/chart.tsx'
import { Facts, Loading, Missing, Problem, Scroll, Section } from '../parts/panels.tsx'
import { perSecond } from '../parts/rate.ts'
import { Text } from '../parts/text.tsx'
import { durationOf, number, plural } from '../parts/time.tsx'
import { useTitle } from '../parts/title.ts'
import { StreamTable } from '../limits/stream-table.tsx'
import { HandlerButtons } from './handler-buttons.tsx'
import { HandlerState } from './handler-state.tsx'

/** One handler: how it does, what bounds it, and a hand on it. */
export function HandlerPage(): JSX.Element {
  const { params } = useRoute()
  const [service, handler] = [params['service'] ?? '', params['handler'] ?? '']
  const path = `/handlers/${encodeURIComponent(service)}/${encodeURIComponent(handler)}`
  const { data, problem, isLoading } = useAnswer<HandlerPageView>(path)
  useTitle(`${service}/${handler}`)
  useSamples('/handlers')
  const isOther = data?.handler.service !== service || data.handler.handler !== handler
  return (
    <>
      <p class="crumbs">
        <a href="/handlers">Handlers</a>
      </p>
      <div class="page-head">
        <h1 tabIndex={-1}>
          <Text>{`${service}/${handler}`}</Text>
        </h1>
        {data && !isOther && <HandlerButtons handler={data.handler} />}
      </div>
      {problem && <Problem problem={problem} />}
      {(!data || isOther) && (isLoading || !problem) && <Loading what="the handler" />}
      {data && !isOther && <Shown page={data} />}
    </>
  )
}

function Shown({ page }: { page: HandlerPageView }): JSX.Element {
  const { handler, charts, streams, missing } = page
  return (
    <>
      <HandlerState handler={handler} />
      {missing.map((what) => (
        <Missing key={what} what={what} />
      ))}
      <Standing handler={handler} />
      <div class="charts">
        <Chart
          title="Messages a second"
          atMs={charts.atMs}
          lines={[
            { label: 'done', values: charts.donePerSecond, kind: 'good' },
            { label: 'failed', values: charts.failedPerSecond, kind: 'bad' },
          ]}
          show={perSecond}
        />
        <Chart
          title="Behind, messages"
          atMs={charts.atMs}
          lines={[{ label: 'lag', values: charts.lag, kind: 'plain' }]}
          show={short}
        />
        <Chart
          title="Behind, in time"
          atMs={charts.atMs}
          lines={[{ label: 'oldest', values: charts.oldestSeconds, kind: 'plain' }]}
          show={seconds}
        />
      </div>
      <p class="hint">
        Of the last five minutes, from when somebody began to watch. A line that breaks off was not seen there.
      </p>
      <Limits handler={handler} />
      <Section title={streams.length === 1 ? 'Its stream' : 'Its streams'}>
        <StreamTable streams={streams} />
      </Section>
      <Instances handler={handler} />
    </>
  )
}

/** Whole, however large: for an axis. */
function short(value: number): string {
  return value >= 10_000 ? `${Math.round(value / 1000)}k` : number(Math.round(value))
}

function seconds(value: number): string {
  if (value < 120) return `${Math.round(value)} s`
  return value < 7200 ? `${Math.round(value / 60)} min` : `${Math.round(value / 3600)} h`
}

function Standing({ handler }: { handler: HandlerView }): JSX.Element {
  const { lag, lane, letters, service, handler: name } = handler
  const open = `/letters?state=open&service=${encodeURIComponent(service)}&handler=${encodeURIComponent(name)}`
  return (
    <Facts
      of={[
        ['Hears', <Text key="source">{handler.source}</Text>],
        [
          'Behind',
          lag
            ? `${number(lag.messages)}${lag.messages > 0 ? `, the oldest ${durationOf(lag.oldestMs / 1000)} old` : ''}`
            : 'nobody says',
        ],
        ['Ages out in', lag?.headroomMs === null || !lag ? undefined : durationOf(lag.headroomMs / 1000)],
        [
          'In flight',
          `${number(handler.running)} of ${number(handler.instances.reduce((sum, one) => sum + one.concurrency, 0))}`,
        ],
        ['Redelivered', lag ? number(lag.redelivered) : undefined],
        ['On its lane', `${number(lane.pending + lane.ackPending)} retries and messages of runs`],
        ['Letters', letters > 0 ? <a href={open}>{number(letters)} open</a> : 'none open'],
        ['Held keys', handler.heldKeys ? `${number(handler.heldKeys)}, each behind a dead letter` : undefined],
        ['Order', handler.isOrdered ? 'by key' : 'none'],
      ]}
    />
  )
}

/** What it may do; as its processes say, and as the server holds it to. */
function Limits({ handler }: { handler: HandlerView }): JSX.Element {
  const [one] = handler.instances
  const rate = (limit: { perSecond: number } | null): string => (limit ? perSecond(limit.perSecond) : 'no limit')
  const changed = (now: string, declared: string | undefined): string =>
    declared === undefined || now === declared ? now : `${now}; declared ${declared}`
  const retry = one?.retry
  return (
    <Section title="Limits" aside={<span class="aside">of each process</span>}>
      <Facts
        of={[
          ['At once', one && changed(number(one.concurrency), one.declared && number(one.declared.concurrency))],
          ['A second', one && changed(rate(one.rateLimit), one.declared && rate(one.declared.rateLimit))],
          ['Time-out', retry && `an attempt is given up after ${durationOf(retry.timeoutMs / 1000)}`],
          ['Retries', retry && retries(retry)],
          ['Ack wait', once(handler.durables.map(({ ackWaitMs }) => durationOf(ackWaitMs / 1000)))],
          [
            'Deliveries',
            once(handler.durables.map(({ maxDeliver }) => (maxDeliver === null ? 'no limit' : number(maxDeliver)))),
          ],
          ['In hand', handler.durables.map(inHand).join(', ')],
        ]}
      />
    </Section>
  )
}

type Durable = HandlerView['durables'][number]

function inHand({ durable, ackPending, maxAckPending }: Durable): string {
  return `${number(ackPending)} of ${maxAckPending === null ? 'any number' : number(maxAckPending)} (${durable})`
}

/** One where they are all alike. */
const once = (texts: readonly string[]): string => [...new Set(texts)].join(', ')

type Retry = NonNullable<HandlerView['instances'][number]['retry']>

function retries({ attempts, forMs, maxDelayMs }: Retry): string {
  const most = attempts === null ? 'as often as it takes' : `${plural(attempts, 'attempt')} at most`
  const long = forMs === null ? '' : `, for ${durationOf(forMs / 1000)}`
  return `${most}${long}, no longer than ${durationOf(maxDelayMs / 1000)} apart`
}

function Instances({ handler }: { handler: HandlerView }): JSX.Element {
  return (
    <Section title="Instances" aside={<span class="aside">{plural(handler.instances.length, 'process')}</span>}>
      {handler.instances.length === 0 ? (
        <p class="none">None answers: nobody runs it, or it may not be asked.</p>
      ) : (
        <Scroll label="Instances">
          <table>
            <caption class="unseen">Instances</caption>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Version</th>
                <th scope="col" class="right">
                  Running
                </th>
                <th scope="col" class="right">
                  Retrying
                </th>
                <th scope="col">Breaker</th>
                <th scope="col">Fault</th>
              </tr>
            </thead>
            <tbody>
              {handler.instances.map((one) => (
                <tr key={one.id}>
                  <td>
                    <Text>{`${one.instance} ${one.id}`}</Text>
                  </td>
                  <td>
                    <Text>{one.version}</Text>
                  </td>
                  <td class="right">{number(one.running)}</td>
                  <td class="right">{number(one.retrying)}</td>
                  <td>{one.breaker.state}</td>
                  <td>
                    <Text>{one.fault ?? one.denied ?? 'none'}</Text>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </Section>
  )
}
