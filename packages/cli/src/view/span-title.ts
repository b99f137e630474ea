import type { Span } from '@malha/operations'

/**
 * What a span did, in as few words as tell it from its neighbours: `dmitri ← center.registered` for a handler,
 * `POST /cities → ECONNREFUSED` for a call, else its name.
 */
export function titleOf(span: Span): string {
  const { name, attributes } = span
  const handler = handlerOf(span)
  if (handler !== undefined) return `${handler} ← ${name.replace(/^process /, '')}`
  const path = attributes['url.path']
  const isCall = name === attributes['http.request.method'] && path !== undefined
  return isCall ? `${name} ${path}${span.failed ? ` → ${outcomeOf(span)}` : ''}` : name
}

/** The durable is `<service>_<handler>`, behind the namespace if there is one. */
function handlerOf({ attributes }: Span): string | undefined {
  const durable = String(attributes['messaging.consumer.group.name'] ?? '')
  return durable === '' ? undefined : durable.slice(durable.lastIndexOf('_') + 1)
}

function outcomeOf({ attributes }: Span): string {
  return String(attributes['http.response.status_code'] ?? attributes['error.type'] ?? 'failed')
}
