import type { InstanceStatus } from '@malha/mesh'
import type { HandlerInstance, ListedHandler, StreamView } from '@malha/operations'
import type { Sample } from './sampler.ts'

/** Attempts a second that ended well, and that failed; null where its processes do not say, or were looked at once only. */
export type HandlerRates = { donePerSecond: number | null; failedPerSecond: number | null }

/** Events of a type a second that a service published, and that could not be stored; null as for handlers. */
export type PublishRates = { storedPerSecond: number | null; failedPerSecond: number | null }

/** Rates are over so long at the most, ms: long enough to be read, short enough to be now. */
const OVER_MS = 10_000

/** Of the newest sample, against one of some seconds before it. */
export function ratesOf(
  samples: readonly Sample[],
  { service, handler }: Pick<ListedHandler, 'service' | 'handler'>,
): HandlerRates {
  const instances = ends(samples).map((sample): readonly HandlerInstance[] | undefined => {
    const listed = sample?.handlers.find((one) => one.service === service && one.handler === handler)
    return listed?.instances ?? (sample && [])
  })
  return {
    donePerSecond: countedPerSecond(instances, ({ counts }) => counts?.done),
    failedPerSecond: countedPerSecond(instances, ({ counts }) => counts?.failed),
  }
}

/** The same of what a service publishes. */
export function publishRates(
  samples: readonly Sample[],
  { service, subject }: { service: string; subject: string },
): PublishRates {
  const instances = ends(samples).map((sample) => sample?.instances.filter((one) => one.service === service))
  const count = (of: 'stored' | 'failed') => (one: Pick<InstanceStatus, 'published'>) =>
    one.published && (one.published.find(({ type }) => type === subject)?.[of] ?? 0)
  return {
    storedPerSecond: countedPerSecond(instances, count('stored')),
    failedPerSecond: countedPerSecond(instances, count('failed')),
  }
}

/**
 * What the processes counted between two looks, each by its own clock, a second. One that is new since then, or came again, began
 * with nothing; one that is gone counts no more. Null without a look before, and where none of them counts.
 */
function countedPerSecond<T extends Pick<InstanceStatus, 'id' | 'at' | 'startedAt'>>(
  [before, now = []]: readonly (readonly T[] | undefined)[],
  countOf: (one: T) => number | undefined,
): number | null {
  if (!before || now.every((one) => countOf(one) === undefined)) return null
  const earlier = new Map(before.map((one) => [one.id, one]))
  let perSecond = 0
  for (const one of now) {
    const first = earlier.get(one.id)
    const [to, from] = [countOf(one), first ? countOf(first) : 0]
    const seconds = (Date.parse(one.at) - Date.parse(first?.at ?? one.startedAt)) / 1000
    if (Number.isFinite(to) && Number.isFinite(from) && seconds > 0) perSecond += Math.max(0, to! - from!) / seconds
  }
  return perSecond
}

/** Messages a second that came into a stream; null while it was looked at once only, or was made again. */
export function storedPerSecond(samples: readonly Sample[], name: string): number | null {
  const [before, now] = ends(samples)
  const last = (sample: Sample | undefined): StreamView | undefined => sample?.streams.find((one) => one.name === name)
  const [from, to] = [last(before), last(now)]
  if (!from || !to || to.lastSeq < from.lastSeq) return null
  return (to.lastSeq - from.lastSeq) / ((now!.atMs - before!.atMs) / 1000)
}

/** The newest, and before it the oldest of those it is compared with. */
function ends(samples: readonly Sample[]): [Sample | undefined, Sample | undefined] {
  const now = samples.at(-1)
  const before = now && samples.find((one) => one !== now && one.atMs >= now.atMs - OVER_MS)
  return [before, now]
}
