import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import type { HandlerView } from '../../src/api/schemas/handlers.ts'
import { refresh, useAnswer } from '../api/answers.ts'
import { Badge, Empty, Loading, Problem, Scroll, Section } from '../parts/panels.tsx'
import { Text } from '../parts/text.tsx'
import { durationOf, number, plural, Time } from '../parts/time.tsx'
import { useTitle } from '../parts/title.ts'
import { HandlerButtons } from './handler-buttons.tsx'

const EVERY_MS = 3000

/** What runs: services, what their handlers hear, and how they stand. */
export function HandlersPage(): JSX.Element {
  const { data, problem } = useAnswer<{ handlers: HandlerView[] }>('/handlers')
  useTitle('Handlers')
  useEffect(() => {
    const timer = setInterval(() => void refresh('/handlers'), EVERY_MS)
    return () => clearInterval(timer)
  }, [])
  const services = [...new Set(data?.handlers.map(({ service }) => service))]
  return (
    <>
      <div class="page-head">
        <h1 tabIndex={-1}>Handlers</h1>
        <p class="lede">Which service hears what, how far behind it is, and a hand on it.</p>
      </div>
      {problem && <Problem problem={problem} />}
      {!data && !problem && <Loading what="the handlers" />}
      {data?.handlers.length === 0 && <Empty title="No service has started here yet." />}
      {services.map((service) => (
        <Service key={service} service={service} handlers={data!.handlers.filter((one) => one.service === service)} />
      ))}
    </>
  )
}

function Service({ service, handlers }: { service: string; handlers: readonly HandlerView[] }): JSX.Element {
  const instances = new Set(handlers.flatMap((one) => one.instances.map(({ id }) => id))).size
  return (
    <Section
      title={service}
      aside={<span class="aside">{instances === 0 ? 'no instance answers' : plural(instances, 'instance')}</span>}
    >
      <Scroll label={`Handlers of ${service}`}>
        <table>
          <caption class="unseen">Handlers of {service}</caption>
          <thead>
            <tr>
              <th scope="col">Hears</th>
              <th scope="col">Handler</th>
              <th scope="col">State</th>
              <th scope="col" class="right">
                Behind
              </th>
              <th scope="col" class="right wide">
                In flight
              </th>
              <th scope="col" class="right wide">
                Redelivered
              </th>
              <th scope="col" class="right wide">
                Ages out in
              </th>
              <th scope="col" class="right">
                Letters
              </th>
              <th scope="col">
                <span class="unseen">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {handlers.map((handler) => (
              <HandlerRow key={handler.handler} handler={handler} />
            ))}
          </tbody>
        </table>
      </Scroll>
    </Section>
  )
}

function HandlerRow({ handler }: { handler: HandlerView }): JSX.Element {
  const { lag, lane } = handler
  const address = `/letters?state=open&service=${encodeURIComponent(handler.service)}&handler=${encodeURIComponent(handler.handler)}`
  return (
    <tr>
      <td class="nowrap">
        <code>
          <Text>{handler.source}</Text>
        </code>{' '}
        <span aria-hidden="true">→</span>
      </td>
      <td>
        <strong>
          <Text>{handler.handler}</Text>
        </strong>
        {handler.isOrdered && <span class="times">by key</span>}
      </td>
      <td>
        <State handler={handler} />
      </td>
      <td class="right">
        {lag ? number(lag.messages) : '?'}
        {lag && lag.messages > 0 && <p class="hint">{durationOf(lag.oldestMs / 1000)}</p>}
        {lane.pending + lane.ackPending > 0 && <p class="hint">{number(lane.pending + lane.ackPending)} on its lane</p>}
      </td>
      <td class="right wide">
        {number(handler.running)} of {number(handler.instances.reduce((sum, one) => sum + one.concurrency, 0))}
      </td>
      <td class="right wide">{lag ? number(lag.redelivered) : '?'}</td>
      <td class="right wide">{lag?.headroomMs === null || !lag ? '–' : durationOf(lag.headroomMs / 1000)}</td>
      <td class="right">{handler.letters > 0 ? <a href={address}>{number(handler.letters)}</a> : '0'}</td>
      <td>
        <HandlerButtons handler={handler} />
      </td>
    </tr>
  )
}

/** The one thing to know of it first. */
function State({ handler }: { handler: HandlerView }): JSX.Element {
  const { paused, breaker, instances, fault } = handler
  const leaked = instances.reduce((sum, one) => sum + one.leaked, 0)
  if (paused)
    return (
      <>
        <Badge kind="paused">paused</Badge>
        <p class="hint">
          by <Text>{paused.who}</Text>
          {paused.until && (
            <>
              {' '}
              until <Time at={paused.until} />
            </>
          )}
          : <Text>{paused.reason}</Text>
        </p>
      </>
    )
  if (instances.length === 0) return <Badge kind="failed">nobody runs it</Badge>
  if (breaker && breaker.state !== 'closed')
    return (
      <>
        <Badge kind="open">breaker {breaker.state}</Badge>
        <p class="hint">
          since <Time at={breaker.since} />
          {breaker.probeAt && (
            <>
              , tries one at <Time at={breaker.probeAt} />
            </>
          )}
        </p>
      </>
    )
  if (fault) return <Badge kind="failed">fault</Badge>
  if (leaked > 0) return <Badge kind="failed">{plural(leaked, 'slot')} leaked</Badge>
  return <Badge kind="ok">runs</Badge>
}
