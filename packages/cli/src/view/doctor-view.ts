import type { Diagnosis } from '@malha/operations'
import { createColors } from 'picocolors'
import type { Screen } from './print.ts'
import { plural } from './text.ts'
import { visible } from './visible.ts'

/** A line a finding, worst last, so that it is what a terminal shows; what to do beneath it. */
export function drawDiagnosis({ findings }: Diagnosis, { colors }: Screen): string {
  const pc = createColors(colors)
  const paint = { ok: pc.green('ok  '), warn: pc.yellow('warn'), fail: pc.red('fail') }
  const rank = { ok: 0, warn: 1, fail: 2 }
  const lines = [...findings]
    .sort((a, b) => rank[a.state] - rank[b.state])
    .flatMap(({ check, state, about, what, fix }) => [
      `${paint[state]}  ${check.padEnd(11)}  ${pc.bold(visible(about))}: ${visible(what)}`,
      ...(fix === null ? [] : [`      ${pc.dim('→')} ${visible(fix)}`]),
    ])
  const count = (state: 'warn' | 'fail'): number => findings.filter((one) => one.state === state).length
  const end =
    count('fail') + count('warn') === 0
      ? pc.green('All is well.')
      : `${plural(count('fail'), 'thing')} broken, ${plural(count('warn'), 'thing')} worth a look.`
  return [...lines, end].join('\n')
}
