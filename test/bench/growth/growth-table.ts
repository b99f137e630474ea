import Table from 'cli-table3'
import type { GrowthResult } from './run-growth.ts'

/** How prices grow, for a terminal. */
export function drawGrowth({ curves }: GrowthResult): string {
  return curves
    .map(({ title, x, points, powers }) => {
      const names = Object.keys(powers)
      const table = new Table({ head: [x, ...names], style: { head: [], border: [] } })
      for (const point of points) table.push([point.x, ...names.map((name) => point.figures[name] ?? '–')])
      table.push(['grows by the power', ...names.map((name) => powers[name]!)])
      return `${title}\n${table.toString()}`
    })
    .join('\n\n')
}
