import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ['j, k', 'next, previous row'],
  ['Enter', 'open the row'],
  ['x', 'select the row'],
  ['/', 'to the filter'],
  ['g then m', 'the mesh'],
  ['g then d', 'dead letters'],
  ['g then r', 'runs'],
  ['g then h', 'handlers'],
  ['g then l', 'limits'],
  ['g then j', 'journey'],
  ['g then e', 'events'],
  ['g then a', 'audit'],
  ['g then p', 'replay'],
  ['g then s', 'send an event'],
  ['?', 'these keys'],
]

const PLACES: Readonly<Record<string, string>> = {
  m: '/topology',
  l: '/limits',
  d: '/letters?state=open',
  r: '/runs',
  h: '/handlers',
  e: '/events',
  j: '/journey',
  a: '/audit',
  p: '/replay',
  s: '/send',
}

/** Rows are links or buttons marked `data-row`; one that has focus is the current one. */
export function Shortcuts(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  const { route } = useLocation()
  useEffect(() => {
    let isGoing = false
    const press = (event: KeyboardEvent): void => {
      const { key, target } = event
      const isTyping = (target as HTMLElement).closest?.('input, textarea, select, dialog, [data-editor]') !== null
      if (event.ctrlKey || event.metaKey || event.altKey) return
      // A box is selected with a key as well.
      if (isTyping && !(target as HTMLElement).matches('[type=checkbox]')) return
      const place = isGoing ? PLACES[key] : undefined
      isGoing = key === 'g'
      if (place) route(place)
      else if (key === 'j') move(1)
      else if (key === 'k') move(-1)
      else if (key === 'x') currentRow()?.querySelector<HTMLInputElement>('[type=checkbox]')?.click()
      else if (key === '/') document.querySelector<HTMLElement>('[data-filter]')?.focus()
      else if (key === '?') dialog.current?.showModal()
      else return
      event.preventDefault()
    }
    document.addEventListener('keydown', press)
    return () => document.removeEventListener('keydown', press)
  }, [])
  return (
    <dialog ref={dialog} aria-labelledby="keys-title">
      <form method="dialog">
        <h2 id="keys-title">Keys</h2>
        <dl class="keys">
          {KEYS.map(([keys, what]) => (
            <div key={keys}>
              <dt>
                <kbd>{keys}</kbd>
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
        <div class="buttons">
          <button type="submit" class="primary">
            Close
          </button>
        </div>
      </form>
    </dialog>
  )
}

const rows = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>('[data-row]')]
const currentRow = (): Element | null | undefined => document.activeElement?.closest('tr, li')

function move(by: number): void {
  const all = rows()
  const row = currentRow()
  const at = all.findIndex((each) => each === document.activeElement || (row?.contains(each) ?? false))
  all[at === -1 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))]?.focus()
}
