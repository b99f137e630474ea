import type { PlacedSpan } from './otlp.ts'
import { serviceOf } from './otlp.ts'
import type { Trace } from './store.ts'

export type Row = PlacedSpan & {
  service: string
  depth: number
  /** Its parent is not in the trace (yet, or any more). */
  orphan: boolean
  failed: boolean
  offsetMs: number
  durationMs: number
}

/** The spans of a trace as the lines of a waterfall: parents before children, siblings in order of their start. */
export function waterfallRows(trace: Trace): Row[] {
  const children = new Map<string | undefined, PlacedSpan[]>()
  for (const placed of trace.spans.values()) {
    const { parentSpanId, spanId } = placed.span
    const known = parentSpanId !== undefined && parentSpanId !== spanId && trace.spans.has(parentSpanId)
    const parent = known ? parentSpanId : undefined
    children.set(parent, [...(children.get(parent) ?? []), placed])
  }
  const rows: Row[] = []
  const waiting = inOrder(children.get(undefined)).map((placed) => ({ placed, depth: 0 }))
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const { placed, depth } = next
    rows.push(rowOf(placed, depth, trace.startNano))
    const below = inOrder(children.get(placed.span.spanId))
    waiting.unshift(...below.map((child) => ({ placed: child, depth: depth + 1 })))
  }
  return rows
}

function rowOf(placed: PlacedSpan, depth: number, traceStart: bigint): Row {
  const { span } = placed
  const start = BigInt(span.startTimeUnixNano)
  return {
    ...placed,
    service: serviceOf(placed),
    depth,
    orphan: depth === 0 && span.parentSpanId !== undefined,
    failed: span.status?.code === 2,
    offsetMs: msOf(start - traceStart),
    durationMs: msOf(BigInt(span.endTimeUnixNano) - start),
  }
}

export function msOf(nanos: bigint): number {
  return Number(nanos) / 1e6
}

function inOrder(spans: readonly PlacedSpan[] | undefined): PlacedSpan[] {
  return [...(spans ?? [])].sort((a, b) => Number(startOf(a) - startOf(b)))
}

function startOf({ span }: PlacedSpan): bigint {
  return BigInt(span.startTimeUnixNano)
}
