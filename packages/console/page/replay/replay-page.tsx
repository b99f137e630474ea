import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import type { HandlerView } from '../../src/api/schemas/handlers.ts'
import type { ReplayPlanView } from '../../src/api/schemas/replays.ts'
import { useAnswer } from '../api/answers.ts'
import { Empty, Loading, Problem, Scroll, Section } from '../parts/panels.tsx'
import { pick, queryOf } from '../parts/query.ts'
import { Text } from '../parts/text.tsx'
import { plural, Time } from '../parts/time.tsx'
import { useTitle } from '../parts/title.ts'
import { BeginPanel } from '../runs/begin-panel.tsx'
import { usePlan } from '../runs/use-plan.ts'
import { ReplayForm } from './replay-form.tsx'
import { FIELDS, limitsOf, selectionOf } from './replay-query.ts'

/** A replay before it begins: which events, to which handler, and how many that are. Every state of it stands in the address. */
export function ReplayPage(): JSX.Element {
  const { query, route } = useLocation()
  const values = pick(query, FIELDS)
  const { selection, faults } = selectionOf(values)
  const isCounted = query['counted'] === 'yes'
  const asked = isCounted && selection ? JSON.stringify(selection) : undefined
  const { plan, problem, isLooking, look } = usePlan<ReplayPlanView>('/replays/plan', asked)
  const { data, problem: away } = useAnswer<{ handlers: HandlerView[] }>('/handlers')
  useTitle('Replay')
  const limits = limitsOf(query)
  // Not a step to go back to: the same replay, with another word about it.
  const change = (more: Readonly<Record<string, string | number | undefined>>): void =>
    route(`/replay${queryOf({ ...query, ...more })}`, true)
  return (
    <>
      <nav class="crumbs" aria-label="Where this is">
        <a href="/runs">Runs</a>
      </nav>
      <div class="page-head">
        <h1 tabIndex={-1}>Replay</h1>
        <p class="lede">Sends events that were handled to one handler once more, and to nobody else.</p>
      </div>
      {away && <Problem problem={away} />}
      {!data && !away && <Loading what="the handlers" />}
      {data?.handlers.length === 0 && <Empty title="No service has started here yet.">Whom could it be sent to?</Empty>}
      {data && data.handlers.length > 0 && (
        <ReplayForm
          handlers={data.handlers}
          values={values}
          onChange={(changed) => change({ ...changed, counted: undefined })}
          onCount={(changed) => {
            route(`/replay${queryOf({ ...query, ...changed, counted: 'yes' })}`)
            if (isCounted) void look()
          }}
        />
      )}
      {isCounted && faults.length > 0 && (
        <ul class="fault" role="alert">
          {faults.map((fault) => (
            <li key={fault}>{fault}</li>
          ))}
        </ul>
      )}
      {problem && <Problem problem={problem} />}
      {isLooking && !plan && <Loading what="the events, one by one" />}
      {plan?.total === 0 && <Empty title="Nothing would be sent.">No event of {plan.stream} fits.</Empty>}
      {plan && plan.total > 0 && (
        <>
          <Counted plan={plan} />
          <BeginPanel
            total={plan.total}
            what="event"
            limits={limits}
            onLimits={change}
            reason={query['reason'] ?? ''}
            onReason={(reason) => change({ reason })}
            path="/replays"
            body={{ ...selection, upTo: plan.upTo }}
          />
        </>
      )}
    </>
  )
}

function Counted({ plan }: { plan: ReplayPlanView }): JSX.Element {
  return (
    <Section title="What would be sent">
      <p class="big" data-total={plan.total}>
        {plural(plan.total, 'event')}
      </p>
      <p class="receivers">
        <Text>{`of ${plan.stream}, to ${plan.service}/${plan.handler}`}</Text>
        {plan.shadow && <span>a shadow: nothing of what it publishes is stored</span>}
      </p>
      <Scroll label="The oldest events of the replay">
        <table>
          <caption>The oldest of them</caption>
          <thead>
            <tr>
              <th scope="col" class="right">
                Sequence
              </th>
              <th scope="col">Stored</th>
              <th scope="col">Type</th>
              <th scope="col">Key</th>
              <th scope="col" class="grow">
                Event id
              </th>
            </tr>
          </thead>
          <tbody>
            {plan.samples.map(({ seq, type = '', id = '', key = '', storedAt }) => (
              <tr key={seq}>
                <td class="right">{seq}</td>
                <td class="nowrap">
                  <Time at={storedAt} />
                </td>
                <td class="nowrap">
                  <Text>{type}</Text>
                </td>
                <td class="clip">
                  <Text>{key}</Text>
                </td>
                <td class="target">
                  <a href={`/journey?of=${encodeURIComponent(id)}`}>
                    <Text>{id}</Text>
                  </a>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <p class="hint">Events stored from now on are not among them.</p>
    </Section>
  )
}
