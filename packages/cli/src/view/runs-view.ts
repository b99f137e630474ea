import type { Plan, Run } from '@malha/operations'
import Table from 'cli-table3'
import { createColors } from 'picocolors'
import { whyOf } from './letters-view.ts'
import type { Screen } from './print.ts'
import { tableStyle } from './table-style.ts'
import { plural } from './text.ts'
import { visible } from './visible.ts'

/** What a redrive would send. */
export function drawPlan({ total, handlers, samples }: Plan, { colors }: Screen): string {
  if (total === 0) return 'No open letter fits: nothing would be sent.'
  const table = new Table({ ...tableStyle(colors), head: ['handler', 'letters'] })
  for (const { service, handler, letters } of handlers) table.push([visible(`${service}/${handler}`), letters])
  const examples = samples.map(
    (letter) => `  ${letter.seq}  ${visible(letter.key ?? letter.id ?? '')}  ${whyOf(letter)}`,
  )
  return [
    `${plural(total, 'letter')} would be sent; nothing was.`,
    table.toString(),
    'The oldest of them:',
    ...examples,
  ].join('\n')
}

/** Where a run is, in a line. */
export function runLine({ counts, total, state }: Run): string {
  const { sent, ok, failed, overtaken, skipped, gone } = counts
  const away = sent - ok - failed - overtaken
  const rare = Object.entries({ overtaken, skipped, gone }).flatMap(([name, count]) =>
    count > 0 ? [`${count} ${name}`] : [],
  )
  return [
    `${state}: ${sent} of ${total} sent`,
    `${ok} ok`,
    `${failed} failed again`,
    `${away} under way`,
    ...rare,
  ].join(', ')
}

export function drawRun(run: Run, { colors }: Screen): string {
  const pc = createColors(colors)
  const paint = run.state === 'done' && run.counts.ok === run.counts.sent ? pc.green : pc.yellow
  const which = Object.entries(run.filter).map(([name, value]) => `${name} ${visible(String(value))}`)
  const lines: [string, string][] = [
    ['run', run.id],
    ['letters', which.length > 0 ? which.join(', ') : 'all'],
    ['by', `${visible(run.who)}, ${run.beganAt}`],
    ...(run.reason === null ? [] : [['why', visible(run.reason)] as [string, string]]),
  ]
  return [...lines.map(([name, value]) => `${pc.dim(name.padEnd(8))} ${value}`), paint(runLine(run))].join('\n')
}

/** One row a run. */
export function drawRuns(runs: readonly Run[], { colors }: Screen): string {
  if (runs.length === 0) return 'No runs.'
  const head = ['run', 'state', 'letters', 'sent', 'ok', 'failed', 'by', 'why']
  const table = new Table({ ...tableStyle(colors), head })
  for (const { id, state, total, counts, who, reason } of runs)
    table.push([id, state, total, counts.sent, counts.ok, counts.failed, visible(who), visible(reason ?? '')])
  return table.toString()
}
