import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import type { AuditPage as Acts } from '../../src/api/schemas/audit.ts'
import { useAnswer } from '../api/answers.ts'
import { FieldForm } from '../parts/field-form.tsx'
import { Badge, Empty, Loading, Problem, Scroll } from '../parts/panels.tsx'
import { pick, queryOf } from '../parts/query.ts'
import { Text } from '../parts/text.tsx'
import { Time } from '../parts/time.tsx'
import { useTitle } from '../parts/title.ts'

const FILTERS = ['who', 'action', 'target'] as const
const LABELS = { who: 'Who', action: 'Action', target: 'To what' }

/** Who did what to this mesh. */
export function AuditPage(): JSX.Element {
  const { query } = useLocation()
  const filter = pick(query, FILTERS)
  const { data, problem } = useAnswer<Acts>(`/audit${queryOf({ ...filter, after: query['after'] })}`)
  useTitle('Audit')
  return (
    <>
      <div class="page-head">
        <h1 tabIndex={-1}>Audit</h1>
        <p class="lede">Who did what to this mesh, from where and why, by console, command or program.</p>
      </div>
      <FieldForm label="Filter acts" path="/audit" fields={FILTERS} labels={LABELS} values={filter} />
      {problem && <Problem problem={problem} />}
      {!data && !problem && <Loading what="the audit" />}
      {data?.acts.length === 0 && <Empty title="Nobody did anything that fits." />}
      {data && data.acts.length > 0 && <ActTable acts={data.acts} />}
      {data && (data.next !== null || query['after']) && (
        <nav class="pages" aria-label="Pages of acts">
          {query['after'] && <a href={`/audit${queryOf(filter)}`}>Newest</a>}
          {data.next !== null && <a href={`/audit${queryOf({ ...filter, after: data.next })}`}>Older</a>}
        </nav>
      )}
    </>
  )
}

function ActTable({ acts }: { acts: Acts['acts'] }): JSX.Element {
  return (
    <Scroll label="Acts">
      <table>
        <caption class="unseen">Acts, the newest first</caption>
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Who</th>
            <th scope="col">Action</th>
            <th scope="col" class="grow">
              To what
            </th>
            <th scope="col" class="wide">
              Why
            </th>
            <th scope="col">Outcome</th>
            <th scope="col" class="wide">
              From
            </th>
          </tr>
        </thead>
        <tbody>
          {acts.map((act) => (
            <tr key={act.seq}>
              <td class="nowrap">
                <Time at={act.at} />
              </td>
              <td>
                <Text>{act.who}</Text>
              </td>
              <td class="nowrap">
                <code>
                  <Text>{act.action}</Text>
                </code>
              </td>
              <td class="target">
                <Text>{act.target}</Text>
              </td>
              <td class="wide clip">
                <Text>{act.reason ?? ''}</Text>
              </td>
              <td>
                <Badge kind={act.outcome === 'done' ? 'ok' : act.outcome === 'begun' ? 'running' : 'failed'}>
                  {act.outcome}
                </Badge>
                {act.fault && (
                  <p class="hint">
                    <Text>{act.fault}</Text>
                  </p>
                )}
              </td>
              <td class="wide">
                <Text>{act.from}</Text>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}
