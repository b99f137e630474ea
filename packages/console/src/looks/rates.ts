import type { HandlerInstance, ListedHandler, StreamView } from '@malha/operations'
import type { Sample } from './sampler.ts'

/** Attempts a second that ended well, and that failed; null where its processes do not say, or were looked at once only. */
export type HandlerRates = { donePerSecond: number | null; failedPerSecond: number | null }

/** Rates are over so long at the most, ms: long enough to be read, short enough to be now. */
const OVER_MS = 10_000

/** Of the newest sample, against one of some seconds before it. */
export function ratesOf(
  samples: readonly Sample[],
  { service, handler }: Pick<ListedHandler, 'service' | 'handler'>,
): HandlerRates {
  const [before, now] = ends(samples)
  const find = (sample: Sample | undefined): readonly HandlerInstance[] | undefined =>
    sample?.handlers.find((one) => one.service === service && one.handler === handler)?.instances
  const instances = find(now) ?? []
  if (!before || instances.every(({ counts }) => !counts)) return UNKNOWN
  const earlier = new Map((find(before) ?? []).map((one) => [one.id, one]))
  let [donePerSecond, failedPerSecond] = [0, 0]
  for (const { id, at, startedAt, counts } of instances) {
    const first = earlier.get(id)
    // A process that is new since then began with nothing.
    const from = first ?? { at: startedAt, counts: { done: 0, failed: 0 } }
    const seconds = (Date.parse(at) - Date.parse(from.at)) / 1000
    if (!counts || !from.counts || !(seconds > 0)) continue
    donePerSecond += Math.max(0, counts.done - from.counts.done) / seconds
    failedPerSecond += Math.max(0, counts.failed - from.counts.failed) / seconds
  }
  return { donePerSecond, failedPerSecond }
}

const UNKNOWN: HandlerRates = { donePerSecond: null, failedPerSecond: null }

/** Messages a second that came into a stream; null while it was looked at once only, or was made again. */
export function storedPerSecond(samples: readonly Sample[], name: string): number | null {
  const [before, now] = ends(samples)
  const last = (sample: Sample | undefined): StreamView | undefined => sample?.streams.find((one) => one.name === name)
  const [from, to] = [last(before), last(now)]
  if (!from || !to || to.lastSeq < from.lastSeq) return null
  return (to.lastSeq - from.lastSeq) / ((now!.atMs - before!.atMs) / 1000)
}

/** The newest, and the oldest of those it is compared with. */
function ends(samples: readonly Sample[]): [Sample | undefined, Sample | undefined] {
  const now = samples.at(-1)
  const before = now && samples.find((one) => one !== now && one.atMs >= now.atMs - OVER_MS)
  return [before, now]
}
