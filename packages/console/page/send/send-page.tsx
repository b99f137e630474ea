import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import type { ContractList, ContractView } from '../../src/api/schemas/contracts.ts'
import { useAnswer } from '../api/answers.ts'
import { session } from '../api/session.ts'
import { Empty, Loading, Problem } from '../parts/panels.tsx'
import { queryOf } from '../parts/query.ts'
import { useTitle } from '../parts/title.ts'
import { SendForm } from './send-form.tsx'

/** One event by hand, as its contract says it. */
export function SendPage(): JSX.Element {
  useTitle('Send an event')
  return (
    <>
      <nav class="crumbs" aria-label="Where this is">
        <a href="/events">Events</a>
      </nav>
      <div class="page-head">
        <h1 tabIndex={-1}>Send an event</h1>
        <p class="lede">As its service would: checked by its contract, heard by all who handle it.</p>
      </div>
      {session.value?.sendsEvents ? <Types /> : <Off />}
    </>
  )
}

function Off(): JSX.Element {
  return (
    <Empty title="This console sends no events by hand.">
      It was not told that it may, which is right in production. Elsewhere start it with <code>--send-events</code>, or{' '}
      <code>CONSOLE_SEND_EVENTS=on</code>; at a terminal there is <code>malha publish</code>.
    </Empty>
  )
}

function Types(): JSX.Element {
  const { query, route } = useLocation()
  const { data, problem } = useAnswer<ContractList>('/contracts')
  const type = query['type']
  if (problem) return <Problem problem={problem} />
  if (!data) return <Loading what="the contracts" />
  return (
    <>
      <form class="fields" aria-label="Which event">
        <label>
          Type
          <select
            data-filter
            value={type ?? ''}
            onChange={({ currentTarget }) => route(`/send${queryOf({ ...query, type: currentTarget.value })}`)}
          >
            <option value="">choose one</option>
            {type && data.contracts.every((one) => one.type !== type) && (
              <option value={type}>{type}, not known</option>
            )}
            {data.contracts.map((one) => (
              <option key={one.type} value={one.type} disabled={one.unfit !== null && one.type !== type}>
                {one.type}
                {one.unfit === null ? '' : `: ${one.unfit}`}
              </option>
            ))}
          </select>
        </label>
      </form>
      {type && <OfType key={type} type={type} />}
    </>
  )
}

function OfType({ type }: { type: string }): JSX.Element {
  const { data, problem } = useAnswer<ContractView>(`/contracts/${encodeURIComponent(type)}`)
  if (problem) return <Problem problem={problem} />
  if (!data) return <Loading what="its contract" />
  return <SendForm contract={data} />
}
