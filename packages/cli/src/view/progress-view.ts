import { createColors } from 'picocolors'
import type { Progress } from '../demo/progress.ts'
import { partnerNames } from '../system/partners.ts'
import { showDuration } from './duration.ts'
import { fit } from './text.ts'

type Look = { width: number; colors: boolean }

const LABEL = 11

/** The live view: one bar for what is registered, one a partner, one for what is onboarded. */
export function drawProgress(progress: Progress, { width, colors }: Look): string {
  const pc = createColors(colors)
  const bar = Math.max(8, Math.min(32, width - LABEL - 50))
  const line = (label: string, count: number, note: string = ''): string => {
    const filled = Math.min(bar, Math.floor((count / Math.max(1, progress.centers)) * bar))
    const paint = count >= progress.centers ? pc.green : pc.cyan
    const drawn = paint('█'.repeat(filled)) + pc.dim('░'.repeat(bar - filled))
    const room = Math.max(0, width - LABEL - bar - 16)
    const figures = `${String(count).padStart(5)} / ${progress.centers}`
    return `  ${fit(label, LABEL)}${drawn}${figures}  ${pc.dim(fit(note, room).trimEnd())}`.trimEnd()
  }
  return [
    pc.dim(fit(`  ${showElapsed(progress.elapsedMs)}  ${progress.doing}`, width).trimEnd()),
    line('registered', progress.registered),
    ...partnerNames.map((name) => {
      const { created, calls, condition } = progress.partners[name]
      return line(name, created, `${calls} calls, ${condition}`)
    }),
    line('onboarded', progress.onboarded),
  ].join('\n')
}

/** The same as one line, for what is not a terminal. */
export function progressLine(progress: Progress): string {
  const partners = partnerNames.map((name) => `${name} ${progress.partners[name].created}`).join(', ')
  const { centers, registered, onboarded } = progress
  return `${showElapsed(progress.elapsedMs)}  registered ${registered}, ${partners}, onboarded ${onboarded} of ${centers}`
}

/** Time since the start, to a tenth of a second and always as wide: ` 4.2 s`. */
export function showElapsed(ms: number): string {
  return (ms < 1000 ? `${(ms / 1000).toFixed(1)} s` : showDuration(ms)).padStart(6)
}
