/** A span as OTLP has it, flattened; times are nanoseconds since 1970. */
export type TraceSpan = {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string | undefined
  readonly name: string
  readonly kind: SpanKind
  readonly startNs: bigint
  readonly endNs: bigint
  readonly failed: boolean
  readonly attributes: Attributes
  readonly links: readonly SpanLink[]
  readonly resource: Attributes
}
export type SpanLink = { readonly traceId: string; readonly spanId: string; readonly attributes: Attributes }
export type Attributes = Readonly<Record<string, string | number | boolean | readonly string[]>>
export type SpanKind = (typeof KINDS)[number]

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const

type Value = {
  stringValue?: string
  intValue?: string | number
  doubleValue?: number
  boolValue?: boolean
  arrayValue?: { values?: Value[] }
}
type Attribute = { key: string; value?: Value }
type OtlpSpan = {
  traceId: string
  spanId: string
  parentSpanId?: string
  name?: string
  kind?: number
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes?: Attribute[]
  links?: { traceId?: string; spanId?: string; attributes?: Attribute[] }[]
  status?: { code?: number }
}
type Answer = {
  result?: {
    resourceSpans?: { resource?: { attributes?: Attribute[] }; scopeSpans?: { spans?: OtlpSpan[] }[] }[]
  }
}

/** The spans of a trace at a store with the API of Jaeger, as it shows them; none while it does not know the trace. */
export async function readTrace(queryUrl: string, traceId: string): Promise<TraceSpan[]> {
  const answer = await fetch(`${queryUrl}/api/v3/traces/${traceId}`)
  const text = await answer.text()
  return answer.ok ? spansOf(JSON.parse(text) as Answer) : []
}

/** @param answer OTLP in JSON, below `result` */
export function spansOf({ result }: Answer): TraceSpan[] {
  return (result?.resourceSpans ?? []).flatMap(({ resource, scopeSpans = [] }) => {
    const ofResource = read(resource?.attributes)
    return scopeSpans.flatMap(({ spans = [] }) => spans.map((span) => toSpan(span, ofResource)))
  })
}

function toSpan(span: OtlpSpan, resource: Attributes): TraceSpan {
  const { traceId, spanId, parentSpanId, name = '', kind = 0, links = [], status } = span
  return {
    traceId,
    spanId,
    parentId: parentSpanId || undefined,
    name,
    kind: KINDS[kind] ?? 'unspecified',
    startNs: BigInt(span.startTimeUnixNano),
    endNs: BigInt(span.endTimeUnixNano),
    failed: status?.code === 2,
    attributes: read(span.attributes),
    links: links.map((link) => ({
      traceId: link.traceId ?? '',
      spanId: link.spanId ?? '',
      attributes: read(link.attributes),
    })),
    resource,
  }
}

function read(list: readonly Attribute[] = []): Attributes {
  return Object.fromEntries(list.map(({ key, value }) => [key, plain(value)]))
}

function plain(value: Value | undefined): string | number | boolean | string[] {
  if (value?.arrayValue) return (value.arrayValue.values ?? []).map((one) => String(plain(one)))
  if (value?.intValue !== undefined) return Number(value.intValue)
  return value?.stringValue ?? value?.doubleValue ?? value?.boolValue ?? ''
}
