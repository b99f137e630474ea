import type { ArchiveAudit, StreamAudit } from '@malha/archive'
import type { ShownEvent } from '@malha/operations'
import Table from 'cli-table3'
import { createColors } from 'picocolors'
import { showDuration } from './duration.ts'
import { tableStyle } from './table-style.ts'
import { tableOf } from './table.ts'
import { plural } from './text.ts'

const plainTable = tableStyle(false)

/** One row a stream, then what is wrong, then the verdict. */
export function drawAudit(audit: ArchiveAudit, colors: boolean): string {
  const pc = createColors(colors)
  const table = new Table({
    ...tableStyle(colors),
    head: ['stream', 'epoch', 'in the stream', 'archived', 'missing', 'duplicates', 'conflicts', 'lost', ''],
  })
  for (const each of audit.streams)
    table.push([
      each.stream,
      each.epoch,
      each.range ? `${each.range.first} to ${each.range.last}` : each.current ? 'empty' : 'gone',
      each.archived,
      each.missing.count,
      each.duplicates.count,
      each.conflicts.count,
      each.lost,
      each.clean ? pc.green('✓') : pc.red('✗'),
    ])
  const faults = audit.streams.filter((each) => !each.clean).map(faultsOf)
  const took = `${plural(audit.totals.compared, 'message')} compared in ${showDuration(audit.durationMs)}`
  const verdict = audit.clean
    ? pc.green(`Clean: every event of ${plural(audit.streams.length, 'stream')} is archived once.`)
    : pc.red('Not clean.')
  return [table.toString(), ...faults, `${verdict} ${pc.dim(took)}`].join('\n')
}

function faultsOf(audit: StreamAudit): string {
  const { missing, duplicates, conflicts, ahead, deadLetters, lost, lag } = audit
  const found = (what: string, { count, seqs }: StreamAudit['missing']): string =>
    count === 0 ? '' : `${what} ${count} (${seqs.slice(0, 10).join(', ')}${count > 10 ? ', …' : ''})`
  const counted = (what: string, count: number): string => (count === 0 ? '' : `${what} ${count}`)
  const faults = [
    found('missing', missing),
    counted('of these possibly on their way', lag),
    found('duplicates', duplicates),
    found('conflicts', conflicts),
    counted('expired before they were archived', lost),
    counted('refused by ClickHouse', deadLetters),
    counted('archived beyond what the stream has', ahead),
  ]
  return `${audit.stream}: ${faults.filter((fault) => fault !== '').join('; ')}`
}

/** Events as a table; the payload gets the room that is left. */
export function drawEvents(events: readonly ShownEvent[], width: number): string {
  if (events.length === 0) return 'No such events.'
  const head = ['stored', 'stream', 'seq', 'type', 'id', 'payload']
  const rows = events.map((event) => [
    event.publishedAt.slice(0, 23),
    event.stream,
    String(event.seq),
    event.type,
    event.id,
    event.withheld === null
      ? (event.payload ?? `(${Buffer.from(event.payloadBase64, 'base64').length} bytes)`)
      : `(hidden: ${event.withheld})`,
  ])
  return tableOf(head, rows, { width, colors: false })
}

/** Rows of a query of the user's own. */
export function drawRows(rows: readonly Record<string, unknown>[]): string {
  const first = rows[0]
  if (first === undefined) return 'No rows.'
  const head = Object.keys(first)
  const table = new Table({ ...plainTable, head })
  for (const row of rows) table.push(head.map((name) => textOf(row[name])))
  return table.toString()
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null)
}
