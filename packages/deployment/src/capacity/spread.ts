import type { Load } from './load.ts'

/** How streams and what they cost are spread over the servers; shares of the whole mesh, 0 to 1, of the busiest server. */
export type Spread = {
  /** Of the streams it leads. */
  readonly leads: number
  /** Of the streams it has a replica of. */
  readonly holds: number
  /** Of the CPU that all servers together take, where a leader takes `leaderShare` of what its stream takes. */
  readonly cpu: (leaderShare: number) => number
}

/** As the server spreads them where it can: leaders and replicas as evenly as whole streams allow. */
export function spreadOf({ streams, servers, replicas }: Pick<Load, 'streams' | 'servers' | 'replicas'>): Spread {
  const led = Math.ceil(streams / servers)
  const held = Math.ceil((streams * replicas) / servers)
  return {
    leads: led / streams,
    holds: held / streams,
    cpu(leaderShare) {
      if (replicas === 1) return led / streams
      const followerShare = (1 - leaderShare) / (replicas - 1)
      return (led * leaderShare + (held - led) * followerShare) / streams
    },
  }
}
