import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { queryOf } from '../parts/query.ts'
import { Text } from '../parts/text.tsx'
import { type Filter, FILTERS, LABELS } from './filter.ts'

/** Chooses letters; what is chosen stands in the address. */
export function FilterBar({ filter, state }: { filter: Filter; state: string | undefined }): JSX.Element {
  const { route } = useLocation()
  const [fault, setFault] = useState('')
  const given = FILTERS.filter((name) => filter[name])
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    const values = Object.fromEntries(new FormData(event.currentTarget as HTMLFormElement)) as Record<string, string>
    const wrong = (['since', 'until'] as const).find((name) => values[name] && Number.isNaN(Date.parse(values[name])))
    setFault(wrong ? `${LABELS[wrong]}: a time such as 2026-11-21T10:00:00Z` : '')
    if (wrong) return
    for (const name of ['since', 'until'] as const)
      if (values[name]) values[name] = new Date(values[name]).toISOString()
    route(`/letters${queryOf({ ...filter, ...trimmed(values), state })}`)
  }
  const field = (name: (typeof FILTERS)[number], isFirst = false): JSX.Element => (
    <label>
      {LABELS[name]}
      <input
        name={name}
        defaultValue={filter[name] ?? ''}
        key={filter[name] ?? ''}
        autocomplete="off"
        spellcheck={false}
        maxLength={200}
        {...(isFirst && { 'data-filter': true })}
      />
    </label>
  )
  return (
    <>
      <form class="filters" role="search" aria-label="Filter letters" onSubmit={submit}>
        {field('service', true)}
        {field('handler')}
        {field('code')}
        {field('key')}
        {field('id')}
        <details open={Boolean(filter.since || filter.until)}>
          <summary>Time</summary>
          <div class="more">
            {field('since')}
            {field('until')}
          </div>
        </details>
        <button type="submit">Filter</button>
      </form>
      {fault && (
        <p class="fault" role="alert">
          {fault}
        </p>
      )}
      {given.length > 0 && (
        <ul class="chips" aria-label="Filters in use">
          {given.map((name) => (
            <li key={name}>
              <span>
                {LABELS[name]} <Text>{filter[name]!}</Text>
              </span>
              <a
                href={`/letters${queryOf({ ...filter, [name]: undefined, state })}`}
                aria-label={`Remove the filter ${LABELS[name]}`}
              >
                ×
              </a>
            </li>
          ))}
          <li class="clear">
            <a href={`/letters${queryOf({ state })}`}>Clear all</a>
          </li>
        </ul>
      )}
    </>
  )
}

const trimmed = (values: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.trim()]))
