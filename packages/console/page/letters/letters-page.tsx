import { useSignal } from '@preact/signals'
import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import type { LetterPageView } from '../../src/api/schemas/letters.ts'
import { useAnswer } from '../api/answers.ts'
import { FieldForm } from '../parts/field-form.tsx'
import { Empty, Loading, Problem, Section } from '../parts/panels.tsx'
import { pick, queryOf } from '../parts/query.ts'
import { number, plural } from '../parts/time.tsx'
import { useTitle } from '../parts/title.ts'
import { FILTERS, LABELS, STATES } from './filter.ts'
import { Groups } from './groups.tsx'
import { LetterTable } from './letter-table.tsx'
import { SelectionBar } from './selection-bar.tsx'

/** Dead letters: which, in groups, and what to do with them. */
export function LettersPage(): JSX.Element {
  const { query } = useLocation()
  const filter = pick(query, FILTERS)
  const wanted = { ...filter, ...pick(query, ['state', 'after']) }
  const { data, problem, isLoading } = useAnswer<LetterPageView>(`/letters${queryOf(wanted)}`)
  const selected = useSignal<ReadonlySet<number>>(new Set())
  // What cannot be seen must not be acted on.
  useEffect(() => void (selected.value = new Set()), [JSON.stringify(wanted)])
  useTitle('Dead letters')
  return (
    <>
      <div class="page-head">
        <h1 tabIndex={-1}>Dead letters</h1>
        <p class="lede">What handlers gave up: look why, mend it, and send it again.</p>
      </div>
      <StateTabs page={data} />
      <FieldForm
        label="Filter letters"
        path="/letters"
        fields={FILTERS}
        labels={LABELS}
        values={filter}
        times={['since', 'until']}
        kept={{ state: query['state'] }}
      />
      {problem &&
        !data &&
        (problem.code === 'OPERATIONS_NO_LETTERS' ? <NoMesh detail={problem.detail} /> : <Problem problem={problem} />)}
      {problem && data && <Problem problem={problem} />}
      {!data && !problem && <Loading what="the letters" />}
      {data && (
        <div aria-busy={isLoading}>
          <AsOf of={data.asOf} />
          {data.total === 0 ? (
            <NoLetters isFiltered={Object.keys(filter).length > 0} />
          ) : (
            <>
              {!filter.group && <Groups groups={data.groups} total={data.total} />}
              <Section
                title={filter.group ? 'Letters of this group' : 'Letters'}
                aside={<span class="aside">{plural(data.total, 'letter')}, newest first</span>}
              >
                <LetterTable letters={data.letters} selected={selected} />
                <Pages next={data.next} />
              </Section>
            </>
          )}
        </div>
      )}
      {data && <SelectionBar selected={selected} letters={data.letters} />}
    </>
  )
}

function StateTabs({ page }: { page: LetterPageView | undefined }): JSX.Element {
  const { query } = useLocation()
  const others = pick(query, FILTERS)
  const tab = (state: string | undefined, label: string, count: number | undefined): JSX.Element => (
    <a href={`/letters${queryOf({ ...others, state })}`} aria-current={query['state'] === state ? 'page' : undefined}>
      {label} {count !== undefined && <span class="count">{number(count)}</span>}
    </a>
  )
  const counts = page?.counts
  const all = counts && STATES.reduce((sum, state) => sum + counts[state], 0)
  return (
    <nav class="tabs" aria-label="State of the letters">
      {STATES.map((state) => tab(state, state, counts?.[state]))}
      {tab(undefined, 'all', all)}
    </nav>
  )
}

function AsOf({ of }: { of: LetterPageView['asOf'] }): JSX.Element | null {
  if (of.state === 'current') return null
  return (
    <p class="banner" role="status">
      {of.state === 'reading'
        ? `Still reading letters into the index: up to ${number(of.until)}. What is here so far can be used.`
        : `NATS does not answer; this is as of ${of.since}. ${of.detail}.`}
    </p>
  )
}

function NoMesh({ detail }: { detail: string }): JSX.Element {
  return (
    <Empty title="No service of this mesh has started here yet.">
      {detail}. The stream of dead letters is made when the first service starts.
    </Empty>
  )
}

function NoLetters({ isFiltered }: { isFiltered: boolean }): JSX.Element {
  const { query } = useLocation()
  if (isFiltered) return <Empty title="No letter fits these filters." />
  if (query['state'] === 'open') return <Empty title="Nothing is waiting.">No dead letter is open.</Empty>
  return <Empty title="No such letters." />
}

function Pages({ next }: { next: number | null }): JSX.Element | null {
  const { query } = useLocation()
  const others = pick(query, [...FILTERS, 'state'])
  if (next === null && !query['after']) return null
  return (
    <nav class="pages" aria-label="Pages of letters">
      {query['after'] && <a href={`/letters${queryOf(others)}`}>Newest</a>}
      {next !== null && <a href={`/letters${queryOf({ ...others, after: next })}`}>Older</a>}
    </nav>
  )
}
