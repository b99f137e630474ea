import { centerOnboarded } from '@malha/contracts'
import { type HandlerDef, hours, on, Reject, responseError, retry, RetryAfter, seconds, untilBack } from '@malha/mesh'

declare const call: (centerId: string, signal: AbortSignal) => Promise<Response>

// #region wait
/** A partner that may be away: for up to 7 days, at most a minute apart. */
export const waitForPartner: HandlerDef = on(
  centerOnboarded,
  { startFrom: 'all', retry: untilBack },
  async (center, ctx) => {
    const answer = await call(center.centerId, ctx.signal)
    if (!answer.ok) throw responseError(answer)
  },
)
// #endregion

// #region own
/** Something that is stale after an hour: three quick attempts, and none when the event is older than that. */
export const soonOrNever: HandlerDef = on(
  centerOnboarded,
  { startFrom: 'new', retry: retry({ attempts: 3, minDelayMs: 200, maxDelayMs: seconds(5) }) },
  async (center, ctx) => {
    if (Date.now() - ctx.source.publishedAt.getTime() > hours(1)) return
    await call(center.centerId, ctx.signal)
  },
)
// #endregion

// #region decide
/** The handler knows best: an error decides what happens to its message. */
export function decide(status: number, why: string): Error {
  if (status === 410) return new Reject(`the partner has closed this centre: ${why}`)
  if (status === 423) return new RetryAfter(seconds(30), 'the partner is in its nightly run')
  return new Error(why)
}
// #endregion
