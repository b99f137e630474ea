import Table from 'cli-table3'
import { createColors } from 'picocolors'
import { tableStyle } from '../../packages/cli/src/view/table-style.ts'
import { holds, isAtLeast } from './judge.ts'
import type { BenchResult, CaseResult } from './result.ts'
import type { Limits } from './scenario.ts'

const RIGHT = ['rate', 'CPU µs', 'server µs', 'p50 ms', 'p99 ms', '× plain', '× lean']

/** The results for people: a row a case, and below it what each limit says. */
export function drawResult({ scenarios, machine, quick }: BenchResult, colors: boolean): string {
  const pc = createColors(colors)
  const table = new Table({
    ...tableStyle(colors),
    head: ['scenario', ...RIGHT, 'floor', 'goal', 'met'],
    colAligns: ['left', ...RIGHT.map(() => 'right' as const), 'left', 'left', 'left'],
  })
  for (const each of scenarios)
    table.push([
      each.name,
      ...[each.rate, each.cpuUsPerMessage, each.serverCpuUsPerMessage, each.p50Ms, each.p99Ms].map(figure),
      figure(each.ratioToPlain),
      figure(each.ratioToLean),
      drawLimits(each, each.floor),
      drawLimits(each, each.goal),
      { goal: pc.green('goal'), floor: pc.yellow('floor'), none: pc.red('none') }[each.met],
    ])
  const missed = scenarios.filter(({ met }) => met === 'none').length
  const verdict =
    missed === 0
      ? pc.green(pc.bold(`Every floor holds (${scenarios.length}).`))
      : pc.red(pc.bold(`${missed} of ${scenarios.length} floors do not hold.`))
  const { cpu, cores, memoryGiB } = machine
  const where = `${cpu}, ${cores} cores, ${memoryGiB} GiB${quick ? '; a quick run: for a figure to quote, run all of it' : ''}`
  return `${table.toString()}\n${verdict}\n${pc.dim(where)}`
}

/** `consume: ratioToPlain 1.82, cpuToPlain 0.65: floor`. */
export function drawCase({ name, measured, met }: CaseResult): string {
  const figures = Object.entries(measured).map(([of, value]) => `${of} ${figure(value)}`)
  return `${name}: ${figures.join(', ')}: ${met === 'none' ? 'the floor does not hold' : `${met} met`}`
}

/** `cpuToPlain ≤ 0.6`, and what was measured where it does not hold. */
function drawLimits({ measured }: CaseResult, limits: Limits): string {
  return Object.entries(limits)
    .map(([name, limit]) => {
      const found = measured[name] ?? undefined
      const asked = `${name} ${isAtLeast(name) ? '≥' : '≤'} ${limit}`
      return holds(name, limit, found) ? asked : `${asked} (${found === undefined ? 'not measured' : figure(found)})`
    })
    .join('\n')
}

/** Three digits, thousands apart. */
function figure(value: number | null): string {
  if (value === null) return '–'
  if (value >= 1000) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}
