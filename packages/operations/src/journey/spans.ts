/** One span, whatever store it came from. Times are nanoseconds since 1970. */
export type Span = {
  traceId: string
  spanId: string
  parentId: string | undefined
  service: string
  name: string
  startNs: bigint
  endNs: bigint
  failed: boolean
  /** The status message of a failed span. */
  message: string
  attributes: Readonly<Record<string, string | number | boolean>>
}

type OtlpValue = { stringValue?: string; intValue?: string | number; doubleValue?: number; boolValue?: boolean }
type OtlpAttribute = { key: string; value?: OtlpValue }
type OtlpSpan = {
  traceId?: string
  spanId: string
  parentSpanId?: string
  name?: string
  startTimeUnixNano: string | number
  endTimeUnixNano: string | number
  attributes?: OtlpAttribute[]
  status?: { code?: number | string; message?: string }
}
type OtlpResourceSpans = {
  resource?: { attributes?: OtlpAttribute[] }
  scopeSpans?: { spans?: OtlpSpan[] }[]
}

/** For how long a store of traces is waited for, ms. */
const READ_MS = 10_000

/**
 * The spans of a trace, from a store with the API of Jaeger; none while it does not know it.
 * @throws TypeError, or a `TimeoutError`, when the store does not answer
 */
export async function readTrace(traces: string, traceId: string): Promise<Span[]> {
  const response = await fetch(new URL(`/api/v3/traces/${traceId}`, traces), { signal: AbortSignal.timeout(READ_MS) })
  if (!response.ok) {
    await response.body?.cancel()
    return []
  }
  return readSpans((await response.json()) as TraceAnswer)
}

/** What `GET /api/v3/traces/{id}` answers: OTLP JSON under `result` (Jaeger 2.19 and later). */
export type TraceAnswer = { result?: { resourceSpans?: OtlpResourceSpans[] } }

/** Flattens OTLP JSON. A span that was exported twice is one. */
export function readSpans(answer: TraceAnswer): Span[] {
  const spans = new Map<string, Span>()
  for (const { resource, scopeSpans } of answer.result?.resourceSpans ?? []) {
    const service = String(readAttributes(resource?.attributes)['service.name'] ?? 'unknown')
    for (const scope of scopeSpans ?? [])
      for (const span of scope.spans ?? []) spans.set(span.spanId, toSpan(service, span))
  }
  return [...spans.values()]
}

/** How many spans have a parent that is not there: what a killed process had not yet sent. */
export function orphans(spans: readonly Span[]): number {
  const known = new Set(spans.map((span) => span.spanId))
  return spans.filter((span) => span.parentId !== undefined && !known.has(span.parentId)).length
}

function toSpan(service: string, span: OtlpSpan): Span {
  const code = span.status?.code
  return {
    traceId: span.traceId ?? '',
    spanId: span.spanId,
    parentId: span.parentSpanId || undefined,
    service,
    name: span.name ?? '',
    startNs: BigInt(span.startTimeUnixNano),
    endNs: BigInt(span.endTimeUnixNano),
    failed: code === 2 || code === 'STATUS_CODE_ERROR',
    message: span.status?.message ?? '',
    attributes: readAttributes(span.attributes),
  }
}

function readAttributes(list: OtlpAttribute[] | undefined): Record<string, string | number | boolean> {
  const attributes: Record<string, string | number | boolean> = {}
  for (const { key, value } of list ?? []) {
    if (value?.intValue !== undefined) attributes[key] = Number(value.intValue)
    else attributes[key] = value?.stringValue ?? value?.doubleValue ?? value?.boolValue ?? ''
  }
  return attributes
}
