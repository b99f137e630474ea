import { createColors } from 'picocolors'
import { showDuration } from './duration.ts'
import { type SpanRow, spanRows } from './span-rows.ts'
import { type Span, timeScale, type TimeScale } from '@malha/operations'
import { titleOf } from './span-title.ts'
import { fit } from './text.ts'

export type WaterfallOptions = {
  /** Columns of the terminal; fewer than 40 are drawn as 40. @default 100 */
  width?: number
  /** @default false */
  colors?: boolean
}

type Colors = ReturnType<typeof createColors>
type Paint = (text: string) => string
type Layout = {
  service: number
  name: number
  bars: number
  scale: TimeScale
  colors: Colors
  paint: Map<string, Paint>
}

const NARROWEST = 40
/** Below this the service has no column of its own; its colour remains. */
const SERVICE_FROM = 84
const DURATION = 9

/**
 * Draws a trace for a terminal: a line a span, its bar on a common time scale, retries marked `↻ n`, failures `✗`. Time
 * in which nothing ran is cut out where it would squeeze the rest; each cut is marked with its length.
 */
export function drawWaterfall(spans: readonly Span[], options: WaterfallOptions = {}): string[] {
  if (spans.length === 0) return ['(no spans)']
  const width = Math.max(NARROWEST, options.width ?? 100)
  const rows = spanRows(spans)
  const layout = layOut(rows, { width, colors: createColors(options.colors ?? false) })
  return [ruler(layout), ...rows.map((row) => drawRow(row, layout))]
}

function layOut(rows: readonly SpanRow[], options: { width: number; colors: Colors }): Layout {
  const { width, colors } = options
  const shown = rows.filter((row) => row.folded === undefined).map((row) => row.span)
  const services = [...new Set(rows.map((row) => row.span.service))]
  const service = width < SERVICE_FROM ? 0 : Math.min(22, longest(services) + 2)
  const name = Math.min(longest(rows.map(label)) + 1, Math.floor((width - service - DURATION) * 0.5))
  const bars = width - service - name - DURATION
  const hues = [colors.cyan, colors.magenta, colors.blue, colors.yellow, colors.green, colors.white]
  const paint = new Map(services.map((each, index) => [each, hues[index % hues.length]!]))
  return { service, name, bars, scale: timeScale(shown, bars), colors, paint }
}

/** The lengths of the breaks, each above its own; one that would run into the one before stays unnamed. */
function ruler({ service, name, bars, scale, colors }: Layout): string {
  let line = ''
  for (const { kind, startNs, endNs, column, columns } of scale.stretches) {
    if (kind !== 'break') continue
    const text = showDuration(Number(endNs - startNs) / 1e6)
    const at = Math.max(0, column + Math.floor((columns - text.length) / 2))
    if (line === '' || at > line.length) line = line.padEnd(at) + text
  }
  return colors.dim(`${' '.repeat(service + name)}${fit(line, bars)}${'took'.padStart(DURATION)}`)
}

function drawRow(row: SpanRow, layout: Layout): string {
  const { service, name, colors, paint } = layout
  const hue = paint.get(row.span.service)!
  const title = fit(label(row), name - 1)
  const took = row.folded ? '' : showDuration(Number(row.span.endNs - row.span.startNs) / 1e6)
  const failed = row.span.failed
  const end = failed ? colors.red(`${took} ✗`.padStart(DURATION)) : `${took}  `.padStart(DURATION)
  return `${hue(fit(row.span.service, service))}${failed ? colors.red(title) : title} ${bar(row, layout)}${end}`.trimEnd()
}

function bar(row: SpanRow, { bars, scale, colors, paint }: Layout): string {
  const cells: Cell[] = Array.from({ length: bars }, () => ({ mark: ' ', hue: undefined }))
  for (const { kind, column, columns } of scale.stretches)
    if (kind === 'break') for (const at of [column, column + columns - 1]) cells[at] = { mark: '╱', hue: colors.dim }
  const hue = row.span.failed ? colors.red : paint.get(row.span.service)!
  for (const { startNs, endNs } of row.folded?.spans ?? [row.span]) {
    const { from, to } = scale.place(startNs, endNs)
    for (let at = from; at < to; at++) cells[at] = { mark: row.folded ? '·' : '█', hue }
  }
  return paintRuns(cells)
}

type Cell = { mark: string; hue: Paint | undefined }

/** One colour code a run instead of one a cell. */
function paintRuns(cells: readonly Cell[]): string {
  let text = ''
  for (let at = 0; at < cells.length;) {
    const { hue } = cells[at]!
    let run = ''
    while (at < cells.length && cells[at]!.hue === hue) run += cells[at++]!.mark
    text += hue ? hue(run) : run
  }
  return text
}

function label({ depth, span, attempt, folded }: SpanRow): string {
  const indent = '  '.repeat(Math.min(depth, 8))
  if (folded) return `${indent}⋮ ${folded.count} more failed attempts`
  return `${indent}${attempt === undefined ? '' : `↻${attempt} `}${titleOf(span)}`
}

function longest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map((text) => Array.from(text).length))
}
