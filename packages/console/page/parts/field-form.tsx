import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { queryOf } from './query.ts'
import { Text } from './text.tsx'

type FieldFormProps<Name extends string> = {
  label: string
  path: string
  fields: readonly Name[]
  labels: Readonly<Record<Name, string>>
  values: Partial<Record<Name, string>>
  times?: readonly Name[]
  /** Of the address, kept as they are. */
  kept?: Readonly<Record<string, string | undefined>>
}

/** Filters of a page: what is given stands in its address, and is shown so that each can be taken away. */
export function FieldForm<Name extends string>(props: FieldFormProps<Name>): JSX.Element {
  const { label, path, fields, labels, values, times = [], kept = {} } = props
  const { route } = useLocation()
  const [fault, setFault] = useState('')
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    const entries = [...new FormData(event.currentTarget as HTMLFormElement)]
    const given = Object.fromEntries(
      entries.map(([name, value]) => [name, typeof value === 'string' ? value.trim() : '']),
    ) as Record<Name, string>
    const wrong = times.find((name) => given[name] && Number.isNaN(Date.parse(given[name])))
    setFault(wrong ? `${labels[wrong]}: a time such as 2026-11-21T10:00:00Z` : '')
    if (wrong) return
    for (const name of times) if (given[name]) given[name] = new Date(given[name]).toISOString()
    route(`${path}${queryOf({ ...values, ...given, ...kept })}`)
  }
  const used = fields.filter((name) => values[name])
  return (
    <>
      <form class="filters" role="search" aria-label={label} onSubmit={submit}>
        {fields.map((name, at) => (
          <label key={`${name}=${values[name] ?? ''}`}>
            {labels[name]}
            <input
              name={name}
              defaultValue={values[name] ?? ''}
              autocomplete="off"
              spellcheck={false}
              maxLength={500}
              {...(at === 0 && { 'data-filter': true })}
            />
          </label>
        ))}
        <button type="submit">Filter</button>
      </form>
      {fault && (
        <p class="fault" role="alert">
          {fault}
        </p>
      )}
      {used.length > 0 && (
        <ul class="chips" aria-label="Filters in use">
          {used.map((name) => (
            <li key={name}>
              <span>
                {labels[name]} <Text>{values[name]!}</Text>
              </span>
              <a
                href={`${path}${queryOf({ ...values, [name]: undefined, ...kept })}`}
                aria-label={`Remove the filter ${labels[name]}`}
              >
                ×
              </a>
            </li>
          ))}
          <li class="clear">
            <a href={`${path}${queryOf(kept)}`}>Clear all</a>
          </li>
        </ul>
      )}
    </>
  )
}
