import type { JSX } from 'preact'
import type { HandlerView } from '../../src/api/schemas/handlers.ts'
import { useAnswer } from '../api/answers.ts'
import { useSamples } from '../api/live.ts'
import { Empty, Loading, Problem, Scroll, Section } from '../parts/panels.tsx'
import { Text } from '../parts/text.tsx'
import { durationOf, number, plural } from '../parts/time.tsx'
import { useTitle } from '../parts/title.ts'
import { perSecond } from '../parts/rate.ts'
import { handlerPath } from '../topology/handler-node.tsx'
import { HandlerButtons } from './handler-buttons.tsx'
import { HandlerState } from './handler-state.tsx'

/** What runs: services, what their handlers hear, and how they stand. */
export function HandlersPage(): JSX.Element {
  const { data, problem } = useAnswer<{ handlers: HandlerView[] }>('/handlers')
  useTitle('Handlers')
  useSamples('/handlers')
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
                Done
              </th>
              <th scope="col" class="right wide">
                Failed
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
        <a class="strong" href={handlerPath(handler)} data-row>
          <Text>{handler.handler}</Text>
        </a>
        {handler.isOrdered && <span class="times">by key</span>}
      </td>
      <td>
        <HandlerState handler={handler} />
      </td>
      <td class="right">
        {lag ? number(lag.messages) : '?'}
        {lag && lag.messages > 0 && <p class="hint">{durationOf(lag.oldestMs / 1000)}</p>}
        {lane.pending + lane.ackPending > 0 && <p class="hint">{number(lane.pending + lane.ackPending)} on its lane</p>}
      </td>
      <td class="right wide">{perSecond(handler.donePerSecond)}</td>
      <td class="right wide">{perSecond(handler.failedPerSecond)}</td>
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
