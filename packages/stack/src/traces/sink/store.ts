import type { PlacedSpan } from './otlp.ts'
import { serviceOf, spanKinds, textOf } from './otlp.ts'

export type Limits = { maxTraces: number; maxBytes: number }

/** A trace as far as it has come in: spans arrive in any order and, after a retried export, more than once. */
export type Trace = { id: string; spans: ReadonlyMap<string, PlacedSpan>; startNano: bigint; endNano: bigint }

export type Search = {
  service?: string
  operation?: string
  minNano: bigint
  maxNano: bigint
  depth: number
  /** Bounds of a single span's duration. */
  longerThanNano?: bigint
  shorterThanNano?: bigint
  attributes?: Record<string, string>
}

export interface TraceStore {
  /** `bytes` is what the spans came as; it counts towards the limit. */
  add(spans: readonly PlacedSpan[], bytes: number): void
  get(traceId: string): Trace | undefined
  /** Newest first. */
  find(search: Search): Trace[]
  newest(count: number): Trace[]
  all(): Iterable<Trace>
  services(): string[]
  operations(service: string, kind?: string): { name: string; spanKind: string }[]
  readonly stats: { traces: number; spans: number; bytes: number; droppedTraces: number }
}

type Kept = { id: string; spans: Map<string, PlacedSpan>; startNano: bigint; endNano: bigint; bytes: number }

/** Traces in memory; over a limit, the one that came first is dropped and counted. */
export function createStore({ maxTraces, maxBytes }: Limits): TraceStore {
  const traces = new Map<string, Kept>()
  let bytes = 0
  let droppedTraces = 0

  const isOverLimit = (): boolean => traces.size > maxTraces || bytes > maxBytes
  const dropOldest = (): void => {
    const [oldest] = traces.values()
    if (!oldest) return
    traces.delete(oldest.id)
    bytes -= oldest.bytes
    droppedTraces++
  }
  const newestFirst = (): Kept[] => [...traces.values()].sort((a, b) => compare(b.startNano, a.startNano))
  const spansOf = (service: string): PlacedSpan[] =>
    [...traces.values()].flatMap(({ spans }) => [...spans.values()]).filter((placed) => serviceOf(placed) === service)

  return {
    add(spans, total) {
      const share = Math.ceil(total / Math.max(1, spans.length))
      for (const placed of spans) {
        addSpan(traces, placed, share)
        bytes += share
      }
      while (isOverLimit()) dropOldest()
    },
    get: (traceId) => traces.get(traceId),
    find: (search) =>
      newestFirst()
        .filter((trace) => [...trace.spans.values()].some((placed) => matches(placed, search)))
        .slice(0, search.depth),
    newest: (count) => newestFirst().slice(0, count),
    all: () => traces.values(),
    services: () =>
      [...new Set([...traces.values()].flatMap(({ spans }) => [...spans.values()].map(serviceOf)))].sort(),
    operations(service, kind) {
      const found = new Map<string, { name: string; spanKind: string }>()
      for (const { span } of spansOf(service)) {
        const spanKind = spanKinds[span.kind ?? 0] ?? 'unspecified'
        if (kind === undefined || kind === spanKind)
          found.set(`${spanKind} ${span.name}`, { name: span.name, spanKind })
      }
      return [...found.values()].sort((a, b) => a.name.localeCompare(b.name))
    },
    get stats() {
      const spans = [...traces.values()].reduce((sum, trace) => sum + trace.spans.size, 0)
      return { traces: traces.size, spans, bytes, droppedTraces }
    },
  }
}

function addSpan(traces: Map<string, Kept>, placed: PlacedSpan, bytes: number): void {
  const { span } = placed
  const start = BigInt(span.startTimeUnixNano)
  const end = BigInt(span.endTimeUnixNano)
  const trace = traces.get(span.traceId)
  if (!trace) {
    const spans = new Map([[span.spanId, placed]])
    traces.set(span.traceId, { id: span.traceId, spans, startNano: start, endNano: end, bytes })
    return
  }
  trace.spans.set(span.spanId, placed)
  trace.bytes += bytes
  if (start < trace.startNano) trace.startNano = start
  if (end > trace.endNano) trace.endNano = end
}

function matches(placed: PlacedSpan, search: Search): boolean {
  const { span } = placed
  const start = BigInt(span.startTimeUnixNano)
  const took = BigInt(span.endTimeUnixNano) - start
  if (start < search.minNano || start > search.maxNano) return false
  if (search.service !== undefined && serviceOf(placed) !== search.service) return false
  if (search.operation !== undefined && span.name !== search.operation) return false
  if (search.longerThanNano !== undefined && took < search.longerThanNano) return false
  if (search.shorterThanNano !== undefined && took > search.shorterThanNano) return false
  const attributes = [...(span.attributes ?? []), ...(placed.resource.attributes ?? [])]
  return Object.entries(search.attributes ?? {}).every(([key, value]) =>
    attributes.some((attribute) => attribute.key === key && textOf(attribute.value) === value),
  )
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
