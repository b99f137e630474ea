import { DiscardPolicy, type StreamInfo } from '@nats-io/jetstream'
import type { Condition } from './notice.ts'

/** From the first on a stream is told of, and again from the second on. */
const LEVELS = [0.7, 0.9] as const

/** Those that will refuse what comes once they are full, and soon are. */
export function fullStreams(streams: readonly StreamInfo[]): Condition[] {
  return streams.flatMap((info) => {
    const used = usedOf(info)
    const level = LEVELS.filter((least) => used >= least).length
    if (level === 0) return []
    return [{ notice: { kind: 'stream', stream: info.config.name, used }, episode: '', level }]
  })
}

/** One that makes room by itself is never full. */
function usedOf({ config, state }: StreamInfo): number {
  if (config.discard !== DiscardPolicy.New) return 0
  const share = (used: number, most: number): number => (most > 0 ? used / most : 0)
  return Math.max(share(state.bytes, config.max_bytes), share(state.messages, config.max_msgs))
}
