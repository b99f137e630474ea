import type { Incompatibility } from '@malha/mesh'
import type { KnownContract } from '@malha/operations'
import Table from 'cli-table3'
import { createColors } from 'picocolors'
import type { Screen } from './print.ts'
import { tableStyle } from './table-style.ts'
import { plural } from './text.ts'
import { visible } from './visible.ts'

/** An incompatibility, and with what: a file, or a service. */
export type Clash = Incompatibility & { readonly against: string }

/** One row a type. */
export function drawContracts(contracts: readonly KnownContract[], { colors }: Screen): string {
  if (contracts.length === 0) return 'No service said a contract.'
  const head = ['type', 'version', 'kind', 'stream', 'key', 'published by', 'handled by']
  const table = new Table({ ...tableStyle(colors), head })
  for (const one of contracts) {
    const version = one.schemas.length > 1 ? `${one.version}, in ${one.schemas.length} forms` : String(one.version)
    const key = one.key?.startsWith('computed') ? 'computed' : (one.key ?? '')
    const places = [one.stream?.name ?? '', key, one.publishedBy.join('\n'), one.handledBy.join('\n')]
    table.push([one.type, version, one.kind, ...places].map((text) => visible(text, { lines: true })))
  }
  return table.toString()
}

/** One row an incompatibility. */
export function drawClashes(clashes: readonly Clash[], contracts: number, { colors }: Screen): string {
  const pc = createColors(colors)
  if (clashes.length === 0) return pc.green(`${plural(contracts, 'contract')} compared: they get along.`)
  const table = new Table({ ...tableStyle(colors), head: ['contract', 'with', 'direction', 'at', 'why'] })
  for (const { contract, against, direction, path, what } of clashes)
    table.push([contract, against, direction, path, what].map((text) => visible(text)))
  return [table.toString(), pc.red(plural(clashes.length, 'incompatibility', 'incompatibilities'))].join('\n')
}
