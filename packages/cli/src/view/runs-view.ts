import type { Plan, ReplayPlan, Run } from '@malha/operations'
import Table from 'cli-table3'
import { createColors } from 'picocolors'
import { whyOf } from './letters-view.ts'
import type { Screen } from './print.ts'
import { tableOf } from './table.ts'
import { tableStyle } from './table-style.ts'
import { plural } from './text.ts'
import { inOneLine, visible } from './visible.ts'

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

/** What a replay would send. */
export function drawReplayPlan(plan: ReplayPlan, screen: Screen): string {
  const { total, service, handler, stream, shadow, samples } = plan
  if (total === 0) return `No event of ${stream} fits: nothing would be sent.`
  const rows = samples.map(({ seq, storedAt, type, id, key }) => [
    String(seq),
    storedAt,
    visible(type ?? ''),
    visible(id ?? ''),
    visible(key ?? ''),
  ])
  return [
    `${plural(total, 'event')} of ${stream} would be sent to ${service}/${handler}; nothing was.`,
    ...(shadow ? ['It is a shadow: nothing of what it publishes would be stored.'] : []),
    'The oldest of them:',
    tableOf(['seq', 'stored', 'type', 'id', 'key'], rows, screen),
  ].join('\n')
}

/** Where a run is, in a line. */
export function runLine({ counts, total, state, waits }: Run): string {
  const { sent, ok, already, failed, overtaken, skipped, gone } = counts
  const away = Math.max(0, sent - ok - already - failed - overtaken)
  const rare = Object.entries({ 'already done': already, overtaken, skipped, gone }).flatMap(([name, count]) =>
    count > 0 ? [`${count} ${name}`] : [],
  )
  const parts = [`${state}: ${sent} of ${total} sent`, `${ok} ok`, `${failed} failed again`, `${away} under way`]
  return [...parts, ...rare, ...(waits === null ? [] : [`waits: ${inOneLine(waits)}`])].join(', ')
}

export function drawRun(run: Run, { colors }: Screen): string {
  const pc = createColors(colors)
  const { ok, already, sent } = run.counts
  const paint = run.state === 'done' && ok + already === sent ? pc.green : pc.yellow
  const lines: [string, string][] = [
    ['run', run.id],
    ...aboutOf(run),
    ['by', `${visible(run.who)}, ${run.beganAt}`],
    ...(run.reason === null ? [] : [['why', visible(run.reason)] as [string, string]]),
  ]
  return [...lines.map(([name, value]) => `${pc.dim(name.padEnd(8))} ${value}`), paint(runLine(run))].join('\n')
}

function aboutOf(run: Run): [string, string][] {
  if (run.kind === 'redrive') return [['letters', saidOf(run.filter) || 'all']]
  const { service, handler, from, asNew, shadow, withheld, upTo } = run
  const { type, key, since, until, archive, epoch } = from
  const which = saidOf({ type, key, since, until, ...(archive && { epoch }) })
  return [
    ['events', `${from.stream}${archive ? ' (archive)' : ''} ${from.seq} to ${upTo}, ${which}`],
    ['handler', `${service}/${handler}${shadow ? ', a shadow' : ''}${asNew ? ', as new messages' : ''}`],
    ...(shadow ? [['withheld', saidOf(withheld) || 'nothing'] as [string, string]] : []),
  ]
}

const saidOf = (given: object): string =>
  Object.entries(given)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => `${visible(name)} ${visible(String(value))}`)
    .join(', ')

/** One row a run. */
export function drawRuns(runs: readonly Run[], screen: Screen): string {
  if (runs.length === 0) return 'No runs.'
  const head = ['run', 'kind', 'state', 'messages', 'sent', 'ok', 'failed', 'by', 'why']
  const rows = runs.map(({ id, kind, state, total, counts, who, reason }) => {
    const numbers = [total, counts.sent, counts.ok + counts.already, counts.failed].map(String)
    return [id, kind, state, ...numbers, visible(who), inOneLine(reason ?? '')]
  })
  return tableOf(head, rows, screen)
}
