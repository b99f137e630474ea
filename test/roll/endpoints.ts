import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'

/** The addresses of a Service behind a load balancer: of pods that are ready, and not leaving. */
export interface Endpoints extends AsyncDisposable {
  /** A pod is ready: from now on it gets requests. */
  add(pod: string, url: string): void
  /**
   * A pod leaves: it gets requests until the news has come to the load balancer, and not afterwards. What it has in hand by
   * then is answered over its connections.
   */
  remove(pod: string): void
  /** The next one in turn; undefined when there is none, which a caller would be told as 503. */
  next(): Pool | undefined
}

/** @param newsMs how long it takes until a load balancer knows that a pod leaves */
export function endpoints({ newsMs }: { newsMs: number }): Endpoints {
  const pools = new Map<string, Pool>()
  let turn = 0
  async function forget(pod: string): Promise<void> {
    const pool = pools.get(pod)
    await sleep(newsMs)
    if (!pool || pools.get(pod) !== pool) return
    pools.delete(pod)
    await pool.close()
  }
  return {
    add: (pod, url) => void pools.set(pod, new Pool(url, { connections: 16, headersTimeout: 10_000 })),
    remove: (pod) => void forget(pod).catch(() => undefined),
    next: () => [...pools.values()][turn++ % Math.max(1, pools.size)],
    async [Symbol.asyncDispose]() {
      for (const pool of pools.values()) await pool.destroy()
    },
  }
}
