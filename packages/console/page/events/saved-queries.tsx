import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { say } from '../parts/toast.tsx'

type Saved = { name: string; query: string }

const KEY = 'saved-queries'
const saved = signal<readonly Saved[]>(stored())

function stored(): Saved[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]')
    return Array.isArray(found) ? found.filter((each): each is Saved => typeof each?.name === 'string') : []
  } catch {
    return []
  }
}

function keep(all: readonly Saved[]): void {
  saved.value = all
  localStorage.setItem(KEY, JSON.stringify(all))
}

/** Queries with names, in this browser. */
export function SavedQueries({ query }: { query: string }): JSX.Element {
  const save = (event: SubmitEvent): void => {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const name = (new FormData(form).get('name') as string).trim()
    keep([...saved.value.filter((each) => each.name !== name), { name, query }])
    form.reset()
    say(`Saved as ${name}, in this browser`)
  }
  return (
    <div class="saved">
      {saved.value.length > 0 && (
        <ul class="chips" aria-label="Saved queries">
          {saved.value.map(({ name, query: its }) => (
            <li key={name}>
              <a href={`/events${its}`}>{name}</a>
              <button
                type="button"
                class="bare"
                aria-label={`Forget the query ${name}`}
                onClick={() => keep(saved.value.filter((each) => each.name !== name))}
              >
                ×
              </button>
            </li>
          ))}
        </ul>
      )}
      {query !== '' && (
        <form class="inline" onSubmit={save}>
          <label>
            Save this query as
            <input name="name" required maxLength={60} />
          </label>
          <button type="submit">Save</button>
        </form>
      )}
    </div>
  )
}
