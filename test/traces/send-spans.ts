import type { Attributes, TraceSpan } from './trace.ts'

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer']

/** Exports spans by OTLP/HTTP in JSON, each with its resource. */
export async function sendSpans(otlpUrl: string, spans: readonly TraceSpan[]): Promise<void> {
  const answer = await fetch(`${otlpUrl}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceSpans: spans.map(toOtlp) }),
  })
  const said = await answer.text()
  if (!answer.ok) throw new Error(`POST /v1/traces answered ${answer.status}: ${said}`)
}

function toOtlp(span: TraceSpan): object {
  const { traceId, spanId, parentId, name, kind, startNs, endNs, failed, attributes, links, resource } = span
  const otlp = {
    traceId,
    spanId,
    ...(parentId !== undefined && { parentSpanId: parentId }),
    name,
    kind: KINDS.indexOf(kind),
    startTimeUnixNano: String(startNs),
    endTimeUnixNano: String(endNs),
    attributes: write(attributes),
    links: links.map((link) => ({ ...link, attributes: write(link.attributes) })),
    status: failed ? { code: 2 } : {},
  }
  return { resource: { attributes: write(resource) }, scopeSpans: [{ scope: { name: 'test' }, spans: [otlp] }] }
}

function write(attributes: Attributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: valueOf(value) }))
}

function valueOf(value: Attributes[string]): object {
  if (typeof value === 'number') return Number.isInteger(value) ? { intValue: value } : { doubleValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'string') return { stringValue: value }
  return { arrayValue: { values: value.map((one) => ({ stringValue: one })) } }
}
