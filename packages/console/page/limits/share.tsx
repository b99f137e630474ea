import type { JSX } from 'preact'

/** How much of a limit is taken, as a bar; the words beside it say it too. */
export function Share({ used, isBad }: { used: number; isBad: boolean }): JSX.Element {
  const percent = Math.min(100, Math.max(0, used * 100))
  return (
    <svg class={`share-bar ${isBad ? 'bad' : ''}`} viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
      <rect class="all" width="100" height="6" />
      <rect class="taken" width={percent.toFixed(2)} height="6" />
    </svg>
  )
}
