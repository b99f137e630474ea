import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import type { ProblemView } from '../../src/api/schemas/shared.ts'
import { problemOf } from '../api/client.ts'

type Told = { kind: 'done'; text: string } | { kind: 'refused'; problem: ProblemView }
const told = signal<Told | undefined>(undefined)

const SHOWN_MS = 6000
let clearing: ReturnType<typeof setTimeout> | undefined

export function say(text: string): void {
  show({ kind: 'done', text })
  clearing = setTimeout(() => (told.value = undefined), SHOWN_MS)
}

/** A refusal stays until it is closed: it must not be overlooked. */
export function sayRefused(error: unknown): void {
  show({ kind: 'refused', problem: problemOf(error) })
}

function show(what: Told): void {
  clearTimeout(clearing)
  told.value = what
}

export function Toast(): JSX.Element {
  const now = told.value
  return (
    <div class="toasts">
      <div role="status">{now?.kind === 'done' && <p class="toast done">{now.text}</p>}</div>
      <div role="alert">
        {now?.kind === 'refused' && (
          <div class="toast refused">
            <p>
              <strong>{now.problem.title}</strong> <code>{now.problem.code}</code>
            </p>
            <p>{now.problem.detail}</p>
            <p>What to do: {now.problem.fix}.</p>
            <button type="button" onClick={() => (told.value = undefined)}>
              Close
            </button>
          </div>
        )}
      </div>
    </div>
  )
}
