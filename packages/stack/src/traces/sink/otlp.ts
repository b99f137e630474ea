/** OTLP's JSON encoding, the part of it that is kept and shown (opentelemetry-proto, trace/v1 and common/v1). */
export type AnyValue = {
  stringValue?: string
  boolValue?: boolean
  intValue?: string | number
  doubleValue?: number
  bytesValue?: string
  arrayValue?: { values?: AnyValue[] }
  kvlistValue?: { values?: Attribute[] }
}
export type Attribute = { key: string; value?: AnyValue }
export type SpanEvent = { timeUnixNano: string; name: string; attributes?: Attribute[] }
export type SpanLink = { traceId: string; spanId: string; attributes?: Attribute[] }
export type Span = {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  /** 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  kind?: number
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes?: Attribute[]
  events?: SpanEvent[]
  links?: SpanLink[]
  /** 2 is an error. */
  status?: { code?: number; message?: string }
}
export type Resource = { attributes?: Attribute[] }
export type Scope = { name?: string; version?: string; attributes?: Attribute[] }
export type ResourceSpans = { resource: Resource; scopeSpans: { scope: Scope; spans: Span[] }[] }

/** A span with what surrounds it in OTLP. */
export type PlacedSpan = { resource: Resource; scope: Scope; span: Span }

export const spanKinds = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const

/** The spans of an export request; `rejected` counts those without valid ids or times. Throws when it is no request. */
export function readRequest(body: unknown): { spans: PlacedSpan[]; rejected: number } {
  if (!isRecord(body) || !Array.isArray(body['resourceSpans'])) throw new Error('resourceSpans is not an array')
  const spans: PlacedSpan[] = []
  let rejected = 0
  for (const { resource = {}, scopeSpans = [] } of body['resourceSpans'] as Partial<ResourceSpans>[]) {
    normalise(resource.attributes)
    for (const { scope = {}, spans: members = [] } of scopeSpans) {
      for (const span of members) {
        if (isSpan(span)) spans.push({ resource, scope, span: normaliseSpan(span) })
        else rejected++
      }
    }
  }
  return { spans, rejected }
}

/** Groups spans as an export request does. */
export function toResourceSpans(spans: Iterable<PlacedSpan>): ResourceSpans[] {
  const resources = new Map<string, { resource: Resource; scopes: Map<string, { scope: Scope; spans: Span[] }> }>()
  for (const { resource, scope, span } of spans) {
    const ofResource = getOrAdd(resources, JSON.stringify(resource), () => ({ resource, scopes: new Map() }))
    getOrAdd(ofResource.scopes, JSON.stringify(scope), () => ({ scope, spans: [] })).spans.push(span)
  }
  return [...resources.values()].map(({ resource, scopes }) => ({ resource, scopeSpans: [...scopes.values()] }))
}

export function serviceOf({ resource }: Pick<PlacedSpan, 'resource'>): string {
  const name = resource.attributes?.find(({ key }) => key === 'service.name')
  return name ? textOf(name.value) : 'unknown'
}

/** A value as text, for a search and for the page. */
export function textOf(value: AnyValue | undefined): string {
  if (!value) return ''
  const { stringValue, boolValue, intValue, doubleValue, bytesValue, arrayValue, kvlistValue } = value
  const plain = stringValue ?? boolValue ?? intValue ?? doubleValue ?? bytesValue
  if (plain !== undefined) return String(plain)
  if (arrayValue) return `[${(arrayValue.values ?? []).map(textOf).join(', ')}]`
  return `{${(kvlistValue?.values ?? []).map((entry) => `${entry.key}: ${textOf(entry.value)}`).join(', ')}}`
}

const TRACE_ID = /^[0-9a-f]{32}$/i
const SPAN_ID = /^[0-9a-f]{16}$/i

function isSpan(span: unknown): span is Span {
  if (!isRecord(span)) return false
  const { traceId, spanId, name, startTimeUnixNano: start, endTimeUnixNano: end } = span
  const ids =
    typeof traceId === 'string' && TRACE_ID.test(traceId) && typeof spanId === 'string' && SPAN_ID.test(spanId)
  return ids && typeof name === 'string' && isNanos(start) && isNanos(end)
}

function isNanos(value: unknown): boolean {
  return (typeof value === 'string' || typeof value === 'number') && /^\d{1,20}$/.test(String(value))
}

/** As Jaeger writes it: ids in lower case, 64-bit numbers as text. Exporters may send numbers. */
function normaliseSpan(span: Span): Span {
  span.traceId = span.traceId.toLowerCase()
  span.spanId = span.spanId.toLowerCase()
  if (span.parentSpanId) span.parentSpanId = span.parentSpanId.toLowerCase()
  else delete span.parentSpanId
  span.startTimeUnixNano = nanos(span.startTimeUnixNano)
  span.endTimeUnixNano = nanos(span.endTimeUnixNano)
  normalise(span.attributes)
  for (const event of span.events ?? []) {
    event.timeUnixNano = nanos(event.timeUnixNano)
    normalise(event.attributes)
  }
  for (const link of span.links ?? []) normalise(link.attributes)
  return span
}

function nanos(value: string | number): string {
  return String(value)
}

function normalise(attributes: readonly Attribute[] | undefined): void {
  for (const { value } of attributes ?? []) normaliseValue(value)
}

function normaliseValue(value: AnyValue | undefined): void {
  if (!value) return
  if (typeof value.intValue === 'number') value.intValue = String(value.intValue)
  for (const member of value.arrayValue?.values ?? []) normaliseValue(member)
  normalise(value.kvlistValue?.values)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function getOrAdd<V>(map: Map<string, V>, key: string, make: () => V): V {
  const found = map.get(key)
  if (found) return found
  const made = make()
  map.set(key, made)
  return made
}
