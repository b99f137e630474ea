import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { LetterSelection } from '../../src/api/schemas/letters.ts'
import type { PlanView, RunView } from '../../src/api/schemas/runs.ts'
import type { ProblemView } from '../../src/api/schemas/shared.ts'
import { refresh } from '../api/answers.ts'
import { act, problemOf } from '../api/client.ts'
import { mayAct, mayActOnAll, whyNot } from '../api/session.ts'
import { ActButton } from '../parts/act-button.tsx'
import { Empty, Loading, Problem, Scroll, Section } from '../parts/panels.tsx'
import { pick, queryOf } from '../parts/query.ts'
import { Text, Why } from '../parts/text.tsx'
import { durationOf, number, plural, Time } from '../parts/time.tsx'
import { useTitle } from '../parts/title.ts'
import { say } from '../parts/toast.tsx'
import { type Filter, FILTERS, LABELS } from './filter.ts'
import { type Limits, LimitFields } from './limit-fields.tsx'

/** A redrive before it begins: what it would send, to whom, how fast. Nothing is sent until it is said so. */
export function RedrivePage(): JSX.Element {
  const { query, route } = useLocation()
  const filter = pick(query, FILTERS)
  const asked = JSON.stringify(selectionOf(filter, query['seqs']))
  const [plan, setPlan] = useState<PlanView>()
  const [problem, setProblem] = useState<ProblemView>()
  const [limits, setLimits] = useState<Limits>({ perSecond: 100, atOnce: 1000, mostFailures: 100, mostRedrives: 10 })
  const [reason, setReason] = useState('')
  useTitle('Redrive')
  const look = async (): Promise<void> => {
    setProblem(undefined)
    try {
      setPlan(await act<PlanView>('/runs/plan', JSON.parse(asked)))
    } catch (error) {
      setPlan(undefined)
      setProblem(problemOf(error))
    }
  }
  useEffect(() => void look(), [asked])
  const begin = async (): Promise<void> => {
    try {
      const why = reason.trim() === '' ? {} : { reason: reason.trim() }
      const run = await act<RunView>('/runs', { filter: JSON.parse(asked), upTo: plan!.upTo, limits, ...why })
      await refresh('/runs')
      say(`Run ${run.id} has begun`)
      route(`/runs/${run.id}`)
    } catch (error) {
      setProblem(problemOf(error))
    }
  }
  const isAll = asked === '{}'
  const isAllowed = isAll ? mayActOnAll.value : mayAct.value
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
          <Section title="How fast">
            <LimitFields limits={limits} onChange={setLimits} />
            <p class="hint">
              At {number(limits.perSecond)} a second this takes about {durationOf(plan.total / limits.perSecond)}. It
              can be paused and cancelled.
            </p>
          </Section>
          <Section title="Why">
            <label class="unseen" for="reason">
              Reason
            </label>
            <input
              id="reason"
              class="long"
              maxLength={500}
              placeholder="e.g. the city is known now"
              value={reason}
              onInput={({ currentTarget }) => setReason(currentTarget.value)}
            />
          </Section>
          <div class="buttons end">
            <ActButton
              kind="primary"
              isAllowed={isAllowed}
              why={isAll ? 'Every open letter at once needs an admin.' : whyNot.value}
              onAct={begin}
            >
              Send {plural(plan.total, 'letter')} again
            </ActButton>
          </div>
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
