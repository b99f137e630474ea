import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { LetterSelection } from '../../src/api/schemas/letters.ts'
import type { PlanView } from '../../src/api/schemas/runs.ts'
import { mayActOnAll } from '../api/session.ts'
import { Empty, Loading, Problem, Scroll, Section } from '../parts/panels.tsx'
import { pick, queryOf } from '../parts/query.ts'
import { Text, Why } from '../parts/text.tsx'
import { number, plural, Time } from '../parts/time.tsx'
import { useTitle } from '../parts/title.ts'
import { BeginPanel } from '../runs/begin-panel.tsx'
import type { Limits } from '../runs/limit-fields.tsx'
import { usePlan } from '../runs/use-plan.ts'
import { type Filter, FILTERS, LABELS } from './filter.ts'

/** A redrive before it begins: what it would send, to whom, how fast. Nothing is sent until it is said so. */
export function RedrivePage(): JSX.Element {
  const { query } = useLocation()
  const filter = pick(query, FILTERS)
  const asked = JSON.stringify(selectionOf(filter, query['seqs']))
  const { plan, problem, look } = usePlan<PlanView>('/runs/plan', asked)
  const [limits, setLimits] = useState<Limits>({ perSecond: 100, atOnce: 1000, mostFailures: 100, mostRedrives: 10 })
  const [reason, setReason] = useState('')
  useTitle('Redrive')
  const isAll = asked === '{}'
  return (
    <>
      <nav class="crumbs" aria-label="Where this is">
        <a href={`/letters${queryOf({ ...filter, state: 'open' })}`}>Dead letters</a>
      </nav>
      <div class="page-head">
        <h1 tabIndex={-1}>Redrive</h1>
        <p class="lede">Sends open letters to their handlers again, each once, and to nobody else.</p>
      </div>
      <Chosen filter={filter} seqs={query['seqs']} />
      {problem && <Problem problem={problem} />}
      {!plan && !problem && <Loading what="what would be sent" />}
      {plan?.total === 0 && <Empty title="Nothing would be sent.">No letter that fits is open.</Empty>}
      {plan && plan.total > 0 && (
        <>
          <PlanPanel plan={plan} onLook={look} />
          <BeginPanel
            total={plan.total}
            what="letter"
            limits={limits}
            onLimits={setLimits}
            reason={reason}
            onReason={setReason}
            path="/runs"
            body={{ filter: JSON.parse(asked) as object, upTo: plan.upTo }}
            {...(isAll && { isAllowed: mayActOnAll.value, why: 'Every open letter at once needs an admin.' })}
          />
        </>
      )}
    </>
  )
}

function selectionOf(filter: Filter, seqs: string | undefined): LetterSelection {
  const chosen = (seqs ?? '')
    .split(',')
    .map(Number)
    .filter((seq) => Number.isInteger(seq) && seq > 0)
  return { ...filter, ...(chosen.length > 0 && { letters: chosen }) }
}

function Chosen({ filter, seqs }: { filter: Filter; seqs: string | undefined }): JSX.Element {
  const given = FILTERS.filter((name) => filter[name])
  const count = seqs ? seqs.split(',').length : 0
  return (
    <ul class="chips" aria-label="Which letters">
      {given.map((name) => (
        <li key={name}>
          <span>
            {LABELS[name]} <Text>{filter[name]!}</Text>
          </span>
        </li>
      ))}
      {count > 0 && (
        <li>
          <span>{count === 1 ? `Letter ${seqs}` : `${count} letters, chosen one by one`}</span>
        </li>
      )}
      {given.length === 0 && count === 0 && (
        <li>
          <span>Every open letter</span>
        </li>
      )}
    </ul>
  )
}

function PlanPanel({ plan, onLook }: { plan: PlanView; onLook: () => Promise<void> }): JSX.Element {
  const again = (
    <button type="button" class="small" onClick={() => void onLook()}>
      Look again
    </button>
  )
  return (
    <Section title="What would be sent" aside={again}>
      <p class="big" data-total={plan.total}>
        {plural(plan.total, 'letter')}
      </p>
      <ul class="receivers">
        {plan.handlers.map(({ service, handler, letters }) => (
          <li key={`${service}/${handler}`}>
            <Text>{`${service}/${handler}`}</Text> <span class="count">{number(letters)}</span>
          </li>
        ))}
      </ul>
      <Scroll label="The oldest letters of the plan">
        <table>
          <caption>The oldest of them</caption>
          <thead>
            <tr>
              <th scope="col">Letter</th>
              <th scope="col">Written</th>
              <th scope="col">Key</th>
              <th scope="col" class="grow">
                Why it failed
              </th>
            </tr>
          </thead>
          <tbody>
            {plan.samples.map((letter) => (
              <tr key={letter.seq}>
                <td>
                  <a href={`/letters/${letter.seq}`}>{letter.seq}</a>
                </td>
                <td class="nowrap">
                  <Time at={letter.at} />
                </td>
                <td class="clip">
                  <Text>{letter.key ?? letter.id ?? ''}</Text>
                </td>
                <td class="why">
                  <Why code={letter.code} reason={letter.reason} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <p class="hint">Letters written from now on are not among them.</p>
    </Section>
  )
}
