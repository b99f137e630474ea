import { stripVTControlCharacters } from 'node:util'
import type { CapacityPlan, Figure, Limit, Unit } from '@malha/deployment'
import Table from 'cli-table3'
import { createColors } from 'picocolors'
import { showBytes } from './bytes.ts'
import { showAge, showDuration } from './duration.ts'
import type { Screen } from './print.ts'
import { tableStyle } from './table-style.ts'
import { visible } from './visible.ts'

/** What is less than twice away is worth planning for. */
const NEAR = 2

/** What is needed, a row a figure; then the limits, the nearest first; then where the figures come from. */
export function drawCapacity(plan: CapacityPlan, { width, colors }: Screen): string {
  const pc = createColors(colors)
  const sources = sourcesOf(plan)
  const parts = [
    loadWords(plan),
    figureTable(plan.figures, { width, colors, sources }),
    limitTable(plan.limits, { width, colors }),
    verdict(plan.limits, pc),
    sources.map((source, at) => pc.dim(`[${at + 1}] ${visible(source)}`)).join('\n'),
    pc.dim(
      `Rates were measured on ${visible(plan.measuredOn)}. Measure your own in a clone, with ` +
        `malha bench --json results.json and node test/capacity/main.ts --bench results.json --out capacity.json, and pass --constants capacity.json.`,
    ),
  ]
  return parts.join('\n')
}

function loadWords({ load }: CapacityPlan): string {
  const { eventsPerSecond, bytes, retentionMs, replicas, servers, streams } = load
  return (
    `${number(eventsPerSecond)} events/s of ${showBytes(bytes)}, kept ${showAge(retentionMs)}, in ` +
    `${streams} ${streams === 1 ? 'stream' : 'streams'} of ${replicas} ${replicas === 1 ? 'replica' : 'replicas'} on ` +
    `${servers} ${servers === 1 ? 'server' : 'servers'} with ${load.cores} cores, ${showBytes(load.memoryBytes)} and ${showBytes(load.diskBytes)} each`
  )
}

function figureTable(
  figures: readonly Figure[],
  { width, colors, sources }: Screen & { sources: readonly string[] },
): string {
  const pc = createColors(colors)
  const groups = [...new Set(figures.map(({ group }) => group))]
  const rows = groups.flatMap((group) =>
    figures
      .filter((figure) => figure.group === group)
      .map(({ what, value, unit, how, from }, at) => [
        at === 0 ? pc.bold(group) : '',
        what,
        show(value, unit),
        how,
        [...new Set(from.map(({ source }) => sources.indexOf(source) + 1))].map((n) => `[${n}]`).join(' '),
      ]),
  )
  return drawn(['', 'what', 'needed', 'how', 'from'], rows, { width, colors, wraps: 3 })
}

function limitTable(limits: readonly Limit[], { width, colors }: Screen): string {
  const pc = createColors(colors)
  const paint = (factor: number): ((text: string) => string) =>
    factor < 1 ? pc.red : factor < NEAR ? pc.yellow : (text) => text
  const rows = limits.map(({ what, need, most, unit, factor, remedy }) => [
    what,
    show(need, unit),
    show(most, unit),
    paint(factor)(times(factor)),
    remedy,
  ])
  return drawn(['limit', 'needed', 'there is', 'carries', 'when it is met'], rows, { width, colors, wraps: 4 })
}

function drawn(
  head: string[],
  rows: readonly string[][],
  { width, colors, wraps }: Screen & { wraps: number },
): string {
  const plain = (text: string): number => stripVTControlCharacters(text).length
  const widths = head.map((name, at) => 2 + Math.max(plain(name), ...rows.map((row) => plain(row[at] ?? ''))))
  const others = widths.reduce((sum, each, at) => (at === wraps ? sum : sum + each + 1), 2)
  widths[wraps] = Math.min(widths[wraps]!, Math.max(24, width - others))
  const table = new Table({ ...tableStyle(colors), head, colWidths: widths, wordWrap: true })
  table.push(...rows)
  return table.toString()
}

function verdict([first, ...others]: readonly Limit[], pc: ReturnType<typeof createColors>): string {
  if (first === undefined) return ''
  const below = [first, ...others].filter(({ factor }) => factor < 1)
  if (below.length > 0)
    return pc.red(`Not carried: ${below.map(({ what, factor }) => `${what} (${times(factor)})`).join('; ')}.`)
  return `Met first: ${first.what}, at ${times(first.factor)} this load.`
}

/** Where constants come from, each once, in the order in which a plan uses them. */
const sourcesOf = ({ figures }: CapacityPlan): string[] => [
  ...new Set(figures.flatMap(({ from }) => from.map(({ source }) => source))),
]

const times = (factor: number): string =>
  factor === Infinity ? 'any' : `${factor >= 100 ? number(Math.round(factor)) : factor.toPrecision(2)} ×`

const number = (value: number): string =>
  value.toLocaleString('en', { maximumFractionDigits: value >= 100 ? 0 : value >= 1 ? 1 : 3 })

function show(value: number, unit: Unit): string {
  if (unit === 'bytes') return showBytes(value)
  if (unit === 'bytes/s') return `${showBytes(value)}/s`
  if (unit === 'ms') return value >= 120_000 ? showAge(value) : showDuration(value)
  if (value === Infinity) return 'any'
  return unit === '' ? number(value) : unit === '/s' ? `${number(value)}/s` : `${number(value)} ${unit}`
}
