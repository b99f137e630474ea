import type { TraceSpan } from './trace.ts'

/** What Jaeger says of a span in yellow: `deltaNs` is by how much its clock would be wrong. */
export type Warning =
  | { readonly rule: 'clock-skew'; readonly deltaNs: bigint }
  | { readonly rule: 'no-parent' | 'same-id' | 'no-length' | 'empty-link' | 'other-sdk' }

/**
 * Which spans Jaeger warns of, by span id: the rules of Jaeger 2.20 for what it stores (`internal/jptrace/sanitizer`) and for
 * what it shows (`adjuster/` of its query extension), with `max_clock_skew_adjust: 0`. A test compares them with a real one.
 */
export function jaegerWarnings(spans: readonly TraceSpan[]): Map<string, Warning[]> {
  const trace = withOwnServerIds(withoutCopies(spans))
  const found = new Map<string, Warning[]>()
  const warn = (span: TraceSpan, warning: Warning): void =>
    void found.set(span.spanId, [...(found.get(span.spanId) ?? []), warning])
  for (const span of trace) {
    if (span.endNs <= span.startNs) warn(span, { rule: 'no-length' })
    for (const link of span.links) if (isEmpty(link.traceId)) warn(span, { rule: 'empty-link' })
    for (const key of SDK_KEYS) if (isOther(span, key)) warn(span, { rule: 'other-sdk' })
  }
  warnOfSkew(trace, warn)
  return found
}

/** What a real Jaeger wrote beside a span, as {@link jaegerWarnings} says it. */
export function writtenWarnings({ attributes }: TraceSpan): Warning[] {
  const texts = attributes['@jaeger@warnings'] ?? []
  return [texts].flat().map((text) => readWarning(String(text)))
}

function readWarning(text: string): Warning {
  const delta = /clock skew adjustment disabled; not applying calculated delta of (\S+)/.exec(text)?.[1]
  if (delta !== undefined) return { rule: 'clock-skew', deltaNs: nanosOf(delta) }
  const [, rule] = WRITTEN.find(([pattern]) => pattern.test(text)) ?? []
  if (rule === undefined) throw new Error(`Jaeger warns of what no rule here knows: ${text}`)
  return { rule }
}

const WRITTEN = [
  [/^parent span ID=\w+ is not in the trace/, 'no-parent'],
  [/^duplicate span IDs/, 'same-id'],
  [/^Negative duration detected/, 'no-length'],
  [/^Invalid span link removed/, 'empty-link'],
  [/^conflicting values between Span and Resource/, 'other-sdk'],
] as const

const UNITS: Readonly<Record<string, number>> = { ns: 1, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 }

/** Of a duration as Go writes it: `-1m2.5s`. */
function nanosOf(text: string): bigint {
  const parts = [...text.matchAll(/([\d.]+)(ns|µs|ms|s|m|h)/g)]
  const nanos = parts.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS[unit!]!, 0)
  return BigInt(Math.round(text.startsWith('-') ? -nanos : nanos))
}

/** A span that was exported twice. */
function withoutCopies(spans: readonly TraceSpan[]): TraceSpan[] {
  const textOf = (span: TraceSpan): string =>
    JSON.stringify(span, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
  return [...new Map(spans.map((span) => [textOf(span), span])).values()]
}

/** A server span with the id of its client (as Zipkin has them) gets an id of its own, below the client. */
function withOwnServerIds(spans: readonly TraceSpan[]): TraceSpan[] {
  const clients = new Set(spans.filter(({ kind }) => kind === 'client').map(({ spanId }) => spanId))
  const isShared = ({ kind, spanId }: TraceSpan): boolean => kind === 'server' && clients.has(spanId)
  const renamed = new Set(spans.filter(isShared).map(({ spanId }) => spanId))
  return spans.map((span) => {
    if (isShared(span)) return { ...span, spanId: `${span.spanId} server`, parentId: span.spanId }
    return renamed.has(span.parentId ?? '') ? { ...span, parentId: `${span.parentId} server` } : span
  })
}

type Skew = { readonly deltaNs: bigint; readonly host: string }
type Warn = (span: TraceSpan, warning: Warning) => void

/**
 * A span of another host than its parent, or of none, is put where it fits into the parent; by how much, all below it of that
 * host get, too. With one host in the whole trace nobody is ever moved.
 */
function warnOfSkew(spans: readonly TraceSpan[], warn: Warn): void {
  const known = new Map<string, TraceSpan>()
  for (const span of spans) {
    if (known.has(span.spanId)) warn(span, { rule: 'same-id' })
    else known.set(span.spanId, span)
  }
  const children = Map.groupBy(known.values(), ({ parentId }) => parentId ?? '')
  const judge = (span: TraceSpan, parent: TraceSpan | undefined, above: Skew): void => {
    const host = hostOf(span)
    const isElsewhere = parent !== undefined && (host !== above.host || host === '')
    const skew = isElsewhere ? { host, deltaNs: deltaOf(span, parent) } : above
    if (skew.deltaNs !== 0n) warn(span, { rule: 'clock-skew', deltaNs: skew.deltaNs })
    for (const child of children.get(span.spanId) ?? []) judge(child, span, skew)
  }
  for (const span of known.values()) {
    if (!isEmpty(span.parentId ?? '') && known.has(span.parentId!)) continue
    if (!isEmpty(span.parentId ?? '')) warn(span, { rule: 'no-parent' })
    judge(span, undefined, { host: hostOf(span), deltaNs: 0n })
  }
}

/** What is asynchronous lasts longer or ends later than its parent; only the former is let be. */
function deltaOf(child: TraceSpan, parent: TraceSpan): bigint {
  const [length, room] = [child.endNs - child.startNs, parent.endNs - parent.startNs]
  if (length > room) return child.startNs < parent.startNs ? parent.startNs - child.startNs : 0n
  if (child.startNs >= parent.startNs && child.endNs <= parent.endNs) return 0n
  return parent.startNs + (room - length) / 2n - child.startNs
}

function hostOf({ resource }: TraceSpan): string {
  const first = (key: string): string | undefined => [resource[key] ?? []].flat().map(String)[0]
  return first('host.id') ?? first('host.ip') ?? first('host.name') ?? ''
}

const SDK_KEYS = [
  'telemetry.sdk.language',
  'telemetry.sdk.name',
  'telemetry.sdk.version',
  'telemetry.distro.name',
  'telemetry.distro.version',
] as const

function isOther({ attributes, resource }: TraceSpan, key: string): boolean {
  return attributes[key] !== undefined && resource[key] !== undefined && attributes[key] !== resource[key]
}

const isEmpty = (id: string): boolean => /^0*$/.test(id)
