import type { ListedHandler } from '../handlers/list.ts'
import type { Condition } from './notice.ts'

/**
 * Handlers with an event that ages out of its stream within `leastMs` before they are done with it. Of a stream that keeps events for
 * less than twice as long, half of that counts: else a handler that is in time would be told of.
 */
export function lowHeadroom(handlers: readonly ListedHandler[], leastMs: number): Condition[] {
  return handlers.flatMap(({ service, handler, lag }) => {
    if (!lag || lag.headroomMs === null || lag.messages === 0) return []
    const { headroomMs, oldestMs, messages } = lag
    const low = Math.min(leastMs, (headroomMs + oldestMs) / 2)
    if (headroomMs >= low) return []
    const notice = { kind: 'headroom', service, handler, headroomMs, messages } as const
    return [{ notice, episode: '', level: headroomMs < low / 4 ? 2 : 1 }]
  })
}
