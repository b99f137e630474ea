import Table from 'cli-table3'
import { tableStyle } from './table-style.ts'
import { fit } from './text.ts'
import type { Screen } from './print.ts'

/** A table whose last column has what room is left. */
export function tableOf(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { width, colors }: Screen,
): string {
  const others = head.slice(0, -1).map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]!.length)))
  const room = Math.max(20, width - others.reduce((sum, each) => sum + each + 3, 0) - 4)
  const table = new Table({ ...tableStyle(colors), head: [...head] })
  for (const row of rows) table.push([...row.slice(0, -1), fit(row.at(-1)!, room).trimEnd()])
  return table.toString()
}
