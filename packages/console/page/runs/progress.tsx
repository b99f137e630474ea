import type { JSX } from 'preact'
import type { RunView } from '../../src/api/schemas/runs.ts'
import { Badge } from '../parts/panels.tsx'
import { number } from '../parts/time.tsx'

const KINDS = ['ok', 'already', 'failed', 'overtaken', 'skipped', 'gone'] as const

export function countsOf({
  counts,
  total,
}: RunView): Record<(typeof KINDS)[number] | 'sent' | 'away' | 'left', number> {
  const { sent = 0, ok = 0, already = 0, failed = 0, overtaken = 0, skipped = 0, gone = 0 } = counts
  const away = Math.max(0, sent - ok - already - failed - overtaken)
  return { sent, ok, already, failed, overtaken, skipped, gone, away, left: Math.max(0, total - sent - skipped - gone) }
}

/** What became of a run's messages, as shares of all. */
export function Progress({ run, isLarge = false }: { run: RunView; isLarge?: boolean }): JSX.Element {
  const counts = countsOf(run)
  const passed = run.total - counts.left
  const parts = [
    ['ok', counts.ok],
    ['failed', counts.failed],
    ['other', counts.already + counts.overtaken + counts.skipped + counts.gone],
    ['away', counts.away],
  ] as const
  let from = 0
  return (
    <div
      class={`progress ${isLarge ? 'large' : ''}`}
      role="progressbar"
      aria-label={`Run ${run.id}`}
      aria-valuemin={0}
      aria-valuemax={run.total}
      aria-valuenow={passed}
      aria-valuetext={`${number(passed)} of ${number(run.total)}`}
    >
      <svg viewBox={`0 0 ${Math.max(1, run.total)} 10`} preserveAspectRatio="none" aria-hidden="true">
        {parts.map(([kind, count]) => {
          const x = from
          from += count
          return <rect key={kind} class={kind} x={x} width={count} height="10" />
        })}
      </svg>
      <span class="progress-text">
        {number(passed)} of {number(run.total)}
      </span>
    </div>
  )
}

export function RunState({ run }: { run: RunView }): JSX.Element {
  if (run.isUnattended) return <Badge kind="unattended">nobody works on it</Badge>
  return <Badge kind={run.state}>{run.state}</Badge>
}
