import { jaegerWarnings, writtenWarnings } from './jaeger-warnings.ts'
import type { TraceSpan } from './trace.ts'

/**
 * What keeps a trace from being one whole journey: no or several first spans, a parent that is missing, what Jaeger warns of, an
 * attempt that is missing or not linked to the one before, or to where its message came from. One line each.
 */
export function journeyFaults(spans: readonly TraceSpan[]): string[] {
  const roots = spans.filter(({ parentId }) => parentId === undefined)
  const warnings = jaegerWarnings(spans)
  return [
    ...(roots.length === 1 ? [] : [`${roots.length} first spans: ${roots.map(title).join(', ')}`]),
    ...spans.flatMap((span) => {
      const warned = [...(warnings.get(span.spanId) ?? []), ...writtenWarnings(span)]
      return [...new Set(warned.map(({ rule }) => `${title(span)}: ${rule}`))]
    }),
    ...attemptsOf(spans).flatMap(attemptFaults),
    ...handled(spans).flatMap((span) => originFaults(span, spans)),
  ]
}

/** `provider_senninha center.registered` for each message that was handled to its end, in order. */
export function hopsOf(spans: readonly TraceSpan[]): string[] {
  const done = handled(spans).filter(({ failed }) => !failed)
  return done.map(({ attributes, name }) => `${durableOf(attributes)} ${name.split(' ')[1]}`).toSorted()
}

/** How many attempts at one message of a handler there were, the most. */
export function mostAttempts(spans: readonly TraceSpan[]): number {
  return Math.max(0, ...attemptsOf(spans).map(({ length }) => length))
}

const handled = (spans: readonly TraceSpan[]): TraceSpan[] => spans.filter(({ kind }) => kind === 'consumer')
const durableOf = (attributes: TraceSpan['attributes']): string => String(attributes['messaging.consumer.group.name'])
const title = ({ name, attributes, resource }: TraceSpan): string =>
  [resource['service.name'], name, attributes['mesh.attempt']].filter((part) => part !== undefined).join(' ')

/** The attempts at one message by one handler, in order. */
function attemptsOf(spans: readonly TraceSpan[]): TraceSpan[][] {
  const keyOf = ({ attributes }: TraceSpan): string =>
    `${durableOf(attributes)} ${String(attributes['mesh.message.id'])}`
  const number = ({ attributes }: TraceSpan): number => Number(attributes['mesh.attempt'])
  const groups = Map.groupBy(handled(spans), keyOf)
  return [...groups.values()].map((group) => group.toSorted((a, b) => number(a) - number(b)))
}

function attemptFaults(attempts: readonly TraceSpan[]): string[] {
  return attempts.flatMap((span, at) => {
    const previous = attempts[at - 1]
    const isLast = at === attempts.length - 1
    return [
      ...(span.attributes['mesh.attempt'] === at + 1 ? [] : [`${title(span)}: it is the ${at + 1}. that is there`]),
      ...(span.failed === !isLast
        ? []
        : [`${title(span)}: it ${isLast ? 'failed, and there is no other' : 'did not fail'}`]),
      ...(!previous || isLinked(span, previous) ? [] : [`${title(span)}: no link to the attempt before`]),
    ]
  })
}

/** From a publish; what says that an attempt failed, from that attempt; what a run sends, from a publish in another trace. */
function originFaults(span: TraceSpan, spans: readonly TraceSpan[]): string[] {
  const parent = spans.find(({ spanId }) => spanId === span.parentId)
  const isFromHere = parent !== undefined && isLinked(span, parent)
  const isFromElsewhere = span.links.some(({ traceId }) => traceId !== span.traceId)
  return isFromHere || isFromElsewhere ? [] : [`${title(span)}: no link to where it came from`]
}

function isLinked(span: TraceSpan, to: TraceSpan): boolean {
  return span.links.some(({ traceId, spanId }) => traceId === to.traceId && spanId === to.spanId)
}
