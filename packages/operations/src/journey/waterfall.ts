import type { AttemptFailed } from '@malha/mesh'
import type { RunHop } from '../why/run-records.ts'
import type { HandlerHop, Hop, Journey } from './journey.ts'
import type { Span } from './spans.ts'
import type { Interval } from './time-scale.ts'

/**
 * A stretch of time. `stored`: when an event came into its stream. `ran`, `failed`: an attempt; without a trace the moment it ended.
 * `waits`: from its failure to the next attempt. `open`: it is not done, up to now.
 */
export type Bar = Interval & { readonly kind: 'stored' | 'ran' | 'failed' | 'waits' | 'open' }

/** A line of a waterfall; what a handler published stands below it. */
export type WaterfallRow = { readonly depth: number; readonly bars: readonly Bar[] } & (
  | { readonly kind: 'event'; readonly hop: Hop }
  | { readonly kind: 'handler'; readonly handler: HandlerHop }
  | { readonly kind: 'run'; readonly run: RunHop }
  | {
      readonly kind: 'attempt'
      readonly attempt: number
      /** RFC 3339; when it ended. */
      readonly at: string
      /** What was written down of it; undefined of one that is known by its span alone. */
      readonly failure: AttemptFailed | undefined
      readonly isFailed: boolean
      readonly tookMs: number | undefined
    }
)

/** Nothing more comes of these. */
const SETTLED: ReadonlySet<string> = new Set(['done', 'dead-letter', 'expired', 'discarded', 'not-taken'])

/** A journey as lines with their times: each event, each handler of it, each attempt that is known. Pure. */
export function waterfallOf({ roots, traces }: Pick<Journey, 'roots' | 'traces'>, now: Date): WaterfallRow[] {
  const spans = traces.flatMap((trace) => trace.spans)
  const nowNs = nsOf(now.toISOString())
  return roots.flatMap((root) => rowsOf(root, 0, { spans, nowNs }))
}

type Known = { spans: readonly Span[]; nowNs: bigint }

function rowsOf(hop: Hop, depth: number, known: Known): WaterfallRow[] {
  const { event, handlers, caused } = hop
  const storedNs = BigInt(event.storedNs)
  const isOf = (next: Hop, { handler, service }: HandlerHop): boolean =>
    next.publishedBy === handler && next.event.service === service
  const rest = caused.filter((next) => !handlers.some((handler) => isOf(next, handler)))
  return [
    { kind: 'event', depth, hop, bars: [{ kind: 'stored', startNs: storedNs, endNs: storedNs }] },
    ...handlers.flatMap((handler): WaterfallRow[] => {
      const attempts = attemptsOf(hop, handler, known).map((row) => ({ ...row, depth: depth + 2 }))
      return [
        { kind: 'handler', depth: depth + 1, handler, bars: openBar(handler, { storedNs, ...known }) },
        ...attempts,
        ...handler.runs.map((run): WaterfallRow => ({ kind: 'run', depth: depth + 2, run, bars: runBars(run, known) })),
        ...caused.filter((next) => isOf(next, handler)).flatMap((next) => rowsOf(next, depth + 2, known)),
      ]
    }),
    ...rest.flatMap((next) => rowsOf(next, depth + 1, known)),
  ]
}

function openBar({ situation }: HandlerHop, { storedNs, nowNs }: { storedNs: bigint; nowNs: bigint }): Bar[] {
  return SETTLED.has(situation) || nowNs <= storedNs ? [] : [{ kind: 'open', startNs: storedNs, endNs: nowNs }]
}

/** From when its handler began with the message to what came of it; to now while nothing did. */
function runBars({ at, endedAt, result }: RunHop, { nowNs }: Known): Bar[] {
  const startNs = nsOf(at)
  if (result === 'under-way') return nowNs > startNs ? [{ kind: 'open', startNs, endNs: nowNs }] : []
  const endNs = endedAt === undefined ? startNs : nsOf(endedAt)
  return [{ kind: result === 'failed' ? 'failed' : 'ran', startNs, endNs: endNs > startNs ? endNs : startNs }]
}

type AttemptRow = Extract<WaterfallRow, { kind: 'attempt' }>

/** So far may lie between when a failure was written down and when its span ended. */
const SAME_NS = 2_000_000_000n

type Attempt = {
  attempt: number
  startNs: bigint
  endNs: bigint
  span: Span | undefined
  failure: AttemptFailed | undefined
}

/**
 * Those that were written down, and those that left a span; one of both is one. A message that a run sent again is tried for the first
 * time again, so that numbers alone do not tell attempts apart.
 */
function attemptsOf(hop: Hop, handler: HandlerHop, { spans, nowNs }: Known): Omit<AttemptRow, 'depth'>[] {
  const left = new Set(spans.filter((span) => isAttempt(span, hop, handler)))
  const failed = handler.attempts.map((failure): Attempt => {
    const endNs = nsOf(failure.at)
    const span = [...left].find((one) => attemptIn(one) === failure.attempt && distance(one.endNs, endNs) < SAME_NS)
    if (span) left.delete(span)
    return { attempt: failure.attempt, startNs: span?.startNs ?? endNs, endNs: span?.endNs ?? endNs, span, failure }
  })
  const others = [...left].map((span): Attempt => {
    return { attempt: attemptIn(span), startNs: span.startNs, endNs: span.endNs, span, failure: undefined }
  })
  const all = [...failed, ...others].toSorted((a, b) => Number(a.endNs - b.endNs))
  return all.map((one, index) => attemptRow(one, all[index + 1], nowNs))
}

function attemptRow(one: Attempt, next: Attempt | undefined, nowNs: bigint): Omit<AttemptRow, 'depth'> {
  const { attempt, startNs, endNs, span, failure } = one
  const isFailed = failure !== undefined || span!.failed
  const bars: Bar[] = [{ kind: isFailed ? 'failed' : 'ran', startNs, endNs }]
  const due = failure?.nextAttemptAt ? nsOf(failure.nextAttemptAt) : undefined
  const nextNs = isFailed && next?.attempt === attempt + 1 ? next.startNs : due
  // What is due later than now is not drawn: the axis ends here.
  const untilNs = nextNs !== undefined && nextNs > nowNs ? nowNs : nextNs
  if (untilNs !== undefined && untilNs > endNs) bars.push({ kind: 'waits', startNs: endNs, endNs: untilNs })
  const tookMs = span && Number(endNs - startNs) / 1e6
  return { kind: 'attempt', attempt, at: failure?.at ?? rfc3339(endNs), failure, isFailed, tookMs, bars }
}

const distance = (a: bigint, b: bigint): bigint => (a < b ? b - a : a - b)

/** The durable is `<service>_<handler>`, behind the namespace if there is one. */
function isAttempt({ attributes }: Span, { event }: Hop, { service, handler }: HandlerHop): boolean {
  const group = String(attributes['messaging.consumer.group.name'] ?? '')
  const isOfHandler = group === `${service}_${handler}` || group.endsWith(`_${service}_${handler}`)
  return isOfHandler && event.id !== undefined && attributes['mesh.message.id'] === event.id
}

const attemptIn = ({ attributes }: Span): number => Number(attributes['mesh.attempt'] ?? 1)

const nsOf = (time: string): bigint => BigInt(Math.round(Date.parse(time))) * 1_000_000n

const rfc3339 = (ns: bigint): string => new Date(Number(ns / 1_000_000n)).toISOString()
