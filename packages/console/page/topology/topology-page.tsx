import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import type { TopologyView } from '../../src/api/schemas/topology.ts'
import { useAnswer } from '../api/answers.ts'
import { useSamples } from '../api/live.ts'
import { Empty, Loading, Missing, Problem } from '../parts/panels.tsx'
import { perSecond } from '../parts/rate.ts'
import { Text } from '../parts/text.tsx'
import { plural } from '../parts/time.tsx'
import { useTitle } from '../parts/title.ts'
import { handlerPath } from './handler-node.tsx'
import { Legend } from './legend.tsx'
import { Picture } from './picture.tsx'
import { isFailing } from './publish-edge.ts'
import { TopologyTable } from './topology-table.tsx'

/** Who publishes what, who hears it, how much flows, and where it does not. */
export function TopologyPage(): JSX.Element {
  const { query } = useLocation()
  const { data, problem } = useAnswer<TopologyView>('/topology')
  useTitle('The mesh')
  useSamples('/topology')
  const isTable = query['as'] === 'table'
  return (
    <>
      <div class="page-head">
        <h1 tabIndex={-1}>The mesh</h1>
        {data && <Summary topology={data} />}
      </div>
      {problem && <Problem problem={problem} />}
      {!data && !problem && <Loading what="the mesh" />}
      {data?.missing.map((what) => (
        <Missing key={what} what={what} />
      ))}
      {data && data.handlers.length + data.subjects.length === 0 && (
        <Empty title="No service has started here yet.">It is drawn once one has.</Empty>
      )}
      {data && data.handlers.length + data.subjects.length > 0 && (
        <>
          <nav class="tabs" aria-label="How it is shown">
            <a href="/topology" aria-current={isTable ? undefined : 'page'}>
              Picture
            </a>
            <a href="/topology?as=table" aria-current={isTable ? 'page' : undefined}>
              Table
            </a>
          </nav>
          {isTable ? <TopologyTable topology={data} /> : <Picture topology={data} />}
          <Legend />
        </>
      )}
    </>
  )
}

/** What to look at first. */
function Summary({ topology: { handlers, publishes } }: { topology: TopologyView }): JSX.Element {
  const failing = handlers.filter(({ state }) => state === 'failing')
  const paused = handlers.filter(({ state }) => state === 'paused')
  return (
    <p class="lede">
      {plural(handlers.length, 'handler')}
      {paused.length > 0 && `, ${paused.length} paused`}
      {failing.length === 0 ? ', none failing' : `, ${failing.length} failing: `}
      {failing.slice(0, 6).map((one, at) => (
        <>
          {at > 0 && ', '}
          <a class="bad" href={handlerPath(one)} title={one.reasons.join('; ')}>
            <Text>{`${one.service}/${one.handler}`}</Text>
          </a>
        </>
      ))}
      {failing.length > 6 && ' …'}
      {publishes.filter(isFailing).map(({ service, subject, failedPerSecond }) => (
        <span key={`${service} ${subject}`} class="bad">
          , <Text>{`${subject} of ${service}: ${perSecond(failedPerSecond)} not stored`}</Text>
        </span>
      ))}
    </p>
  )
}
