import type { JSX } from 'preact'
import type { TopologyView } from '../../src/api/schemas/topology.ts'
import { Badge, Scroll } from '../parts/panels.tsx'
import { perSecond } from '../parts/rate.ts'
import { Text } from '../parts/text.tsx'
import { number } from '../parts/time.tsx'
import { flowOf, isFailing } from './publish-edge.ts'
import { handlerPath, STATES } from './handler-node.tsx'

const BADGES = { failing: 'failed', paused: 'paused', behind: 'running', runs: 'ok' } as const

/** The same as the picture, in words: a row a handler and subject; subjects that nobody hears at the end. */
export function TopologyTable({ topology }: { topology: TopologyView }): JSX.Element {
  const heard = new Set(topology.handlers.flatMap(({ hears }) => hears))
  const unheard = topology.subjects.filter(({ name }) => !heard.has(name))
  return (
    <Scroll label="The mesh as a table">
      <table>
        <caption>
          Rates are of the last ten seconds: beside a service what it published of the subject, beside a stream what
          came to all its subjects together.
        </caption>
        <thead>
          <tr>
            <th scope="col">Published by</th>
            <th scope="col">Subject</th>
            <th scope="col">Stream</th>
            <th scope="col">Handler</th>
            <th scope="col">State</th>
            <th scope="col" class="right">
              Done
            </th>
            <th scope="col" class="right">
              Failed
            </th>
            <th scope="col" class="right">
              Behind
            </th>
            <th scope="col" class="right">
              Letters
            </th>
          </tr>
        </thead>
        <tbody>
          {topology.handlers.flatMap((handler) =>
            handler.hears.map((subject) => (
              <tr key={`${handler.service} ${handler.handler} ${subject}`}>
                <SubjectCells topology={topology} subject={subject} />
                <td>
                  <a href={handlerPath(handler)} data-row>
                    <Text>{`${handler.service}/${handler.handler}`}</Text>
                  </a>
                </td>
                <td>
                  <Badge kind={BADGES[handler.state]}>{STATES[handler.state]}</Badge>
                  {handler.reasons.map((why) => (
                    <p key={why} class="hint">
                      <Text>{why}</Text>
                    </p>
                  ))}
                </td>
                <td class="right">{perSecond(handler.donePerSecond)}</td>
                <td class="right">{perSecond(handler.failedPerSecond)}</td>
                <td class="right">{handler.lag === null ? '?' : number(handler.lag)}</td>
                <td class="right">{number(handler.letters)}</td>
              </tr>
            )),
          )}
          {unheard.map(({ name }) => (
            <tr key={name}>
              <SubjectCells topology={topology} subject={name} />
              <td class="none" colSpan={6}>
                nobody hears it
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

function SubjectCells({ topology, subject }: { topology: TopologyView; subject: string }): JSX.Element {
  const by = topology.publishes.filter((one) => one.subject === subject)
  const stream = topology.subjects.find(({ name }) => name === subject)?.stream ?? ''
  const rate = topology.streams.find(({ name }) => name === stream)?.storedPerSecond ?? null
  return (
    <>
      <td>
        {by.map((edge) => (
          <div key={edge.service} class="nowrap">
            <Text>{edge.service}</Text> <span class={isFailing(edge) ? 'bad' : undefined}>{flowOf(edge)}</span>
          </div>
        ))}
        {by.length === 0 && <span class="none">not said</span>}
      </td>
      <td>
        <code>
          <Text>{subject}</Text>
        </code>
      </td>
      <td class="nowrap">
        <Text>{stream}</Text> {perSecond(rate)}
      </td>
    </>
  )
}
