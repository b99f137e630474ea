/** A stretch of columns: linear time in which something ran, or a break that stands for time in which nothing did. */
export type Stretch = {
  kind: 'linear' | 'break'
  startNs: bigint
  endNs: bigint
  /** First column and number of columns. */
  column: number
  columns: number
}

export type TimeScale = {
  stretches: readonly Stretch[]
  /** The columns that a span takes; at least one. */
  place(startNs: bigint, endNs: bigint): { from: number; to: number }
}

/** A gap that would take more of the linear width than this is worth a break. */
const WORTH_A_BREAK = 0.08

/** `╱  ╱` on a terminal: two edges, and room between them for what was folded away. */
const BREAK_COLUMNS = 4

export type TimeScaleOptions = {
  /** @default 4 */
  breakColumns?: number
  /** Of a stretch in which something ran, however short. @default 1 */
  leastColumns?: number
  /** A gap that is shorter stays as it is. @default 0 */
  leastBreakMs?: number
}

/**
 * Lays time out on `columns` columns. Idle gaps that would squeeze everything else are cut out, largest first, and
 * become breaks of `breakColumns`; all that remains has one linear scale. Pure.
 */
export function timeScale(
  spans: readonly Interval[],
  columns: number,
  { breakColumns = BREAK_COLUMNS, leastColumns = 1, leastBreakMs = 0 }: TimeScaleOptions = {},
): TimeScale {
  const busy = mergeBusy(spans)
  const most = Math.floor(columns / (breakColumns * 1.75))
  const breaks = chooseBreaks(busy, { most, leastNs: leastBreakMs * 1e6 })
  const stretches = layOut(busy, breaks, { columns, breakColumns, leastColumns })
  return {
    stretches,
    place(startNs, endNs) {
      const home = stretches.find((stretch) => stretch.kind === 'linear' && startNs <= stretch.endNs)
      const last = home ? home.column + home.columns - 1 : columns - 1
      const from = Math.min(last, Math.floor(columnOf(stretches, startNs)))
      return { from, to: Math.max(from + 1, Math.min(columns, Math.round(columnOf(stretches, endNs)))) }
    },
  }
}

/** Times are nanoseconds since 1970. */
export type Interval = { startNs: bigint; endNs: bigint }

function mergeBusy(spans: readonly Interval[]): Interval[] {
  const merged: Interval[] = []
  for (const { startNs, endNs } of spans.toSorted((a, b) => (a.startNs < b.startNs ? -1 : 1))) {
    const last = merged.at(-1)
    if (last === undefined || startNs > last.endNs) merged.push({ startNs, endNs })
    else if (endNs > last.endNs) last.endNs = endNs
  }
  return merged
}

/** Indexes into `busy` after which time is cut. */
function chooseBreaks(busy: readonly Interval[], { most, leastNs }: { most: number; leastNs: number }): Set<number> {
  const gaps = busy.slice(0, -1).map((interval, index) => ({ index, ns: busy[index + 1]!.startNs - interval.endNs }))
  let linearNs = lengthOf(busy)
  const breaks = new Set<number>()
  for (const gap of gaps.toSorted((a, b) => (a.ns > b.ns ? -1 : 1))) {
    if (breaks.size >= most || Number(gap.ns) < Math.max(leastNs, Number(linearNs) * WORTH_A_BREAK)) break
    breaks.add(gap.index)
    linearNs -= gap.ns
  }
  return breaks
}

function lengthOf(busy: readonly Interval[]): bigint {
  return busy.length === 0 ? 0n : busy.at(-1)!.endNs - busy[0]!.startNs
}

type Width = { columns: number; breakColumns: number; leastColumns: number }

function layOut(
  busy: readonly Interval[],
  breaks: ReadonlySet<number>,
  { columns, breakColumns, leastColumns }: Width,
): Stretch[] {
  const linear: Interval[] = []
  for (const [index, interval] of busy.entries()) {
    const open = linear.at(-1)
    if (open === undefined || breaks.has(index - 1)) linear.push({ ...interval })
    else open.endNs = interval.endNs
  }
  const shares = shareColumns(linear, columns - breaks.size * breakColumns, leastColumns)
  const stretches: Stretch[] = []
  let column = 0
  for (const [index, interval] of linear.entries()) {
    const before = linear[index - 1]
    if (before) {
      const gap = { startNs: before.endNs, endNs: interval.startNs }
      stretches.push({ kind: 'break', ...gap, column, columns: breakColumns })
      column += breakColumns
    }
    stretches.push({ kind: 'linear', ...interval, column, columns: shares[index]! })
    column += shares[index]!
  }
  return stretches
}

/** Columns by length, none without one; what rounding took or gave is settled with the longest. */
function shareColumns(linear: readonly Interval[], columns: number, least: number): number[] {
  const lengths = linear.map((interval) => Number(interval.endNs - interval.startNs))
  const total = lengths.reduce((sum, length) => sum + length, 0)
  const shares = lengths.map((length) =>
    Math.max(least, Math.round(total === 0 ? columns / lengths.length : (length / total) * columns)),
  )
  const longest = shares.indexOf(Math.max(...shares))
  const rest = columns - shares.reduce((sum, share) => sum + share, 0)
  if (longest >= 0) shares[longest] = Math.max(1, shares[longest]! + rest)
  return shares
}

function columnOf(stretches: readonly Stretch[], ns: bigint): number {
  for (const { startNs, endNs, column, columns } of stretches) {
    if (ns > endNs) continue
    const length = Number(endNs - startNs)
    return length === 0 ? column : column + (Number(ns - startNs) / length) * columns
  }
  const last = stretches.at(-1)
  return last ? last.column + last.columns : 0
}
