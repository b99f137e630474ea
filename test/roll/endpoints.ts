import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'

/** The addresses of a Service behind a load balancer: of pods that are ready, and not leaving. */
export interface Endpoints extends AsyncDisposable {
  /** A pod is ready, or ready again: from now on it gets requests. */
  add(pod: string, url: string): void
  /**
   * A pod leaves, or is not ready any more: it gets requests until the news has come to the load balancer, and not
   * afterwards. What it has in hand by then is answered over its connections.
   */
  remove(pod: string): void
  /** The next one in turn; undefined when there is none, which a caller would be told as 503. */
  next(): Pool | undefined
}

/** @param newsMs how long it takes until a load balancer knows that a pod leaves */
export function endpoints({ newsMs }: { newsMs: number }): Endpoints {
  const pods = new Map<string, { pool: Pool; isLeaving: boolean }>()
  let turn = 0
  async function forget(name: string): Promise<void> {
    const pod = pods.get(name)
    if (!pod) return
    pod.isLeaving = true
    await sleep(newsMs)
    if (!pod.isLeaving || pods.get(name) !== pod) return
    pods.delete(name)
    await pod.pool.close()
  }
  return {
    add(name, url) {
      const known = pods.get(name)
      if (known) known.isLeaving = false
      else pods.set(name, { pool: new Pool(url, { connections: 16, headersTimeout: 10_000 }), isLeaving: false })
    },
    remove: (name) => void forget(name).catch(() => undefined),
    next: () => [...pods.values()][turn++ % Math.max(1, pods.size)]?.pool,
    async [Symbol.asyncDispose]() {
      for (const { pool } of pods.values()) await pool.destroy()
    },
  }
}
