import { type FaultProxy, faultProxy } from '@malha/testing'
import type { ChaosLink } from '../system.ts'

/**
 * Where nothing else that is tested takes a port: one of a connection that is refused is free meanwhile, and whoever took
 * it would get the messages of this run. Runs side by side begin at other places.
 */
const PORTS = { first: 7000, ofARun: 100, runs: 50 }

/** The proxies between the processes of a run. */
export interface Links extends AsyncDisposable {
  readonly all: readonly ChaosLink[]
  /** The port that `from` dials to reach `to`, which listens on `port`. */
  between(from: string, to: string, port: number): Promise<number>
}

export function openLinks(): Links {
  const all: ChaosLink[] = []
  const first = PORTS.first + (process.pid % PORTS.runs) * PORTS.ofARun
  let next = first
  /** The next port of this run that nobody has. */
  async function freeProxy(target: number): Promise<FaultProxy> {
    for (; next < first + PORTS.ofARun; next += 1) {
      const proxy = await faultProxy({ target, port: next }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EADDRINUSE') throw error
      })
      if (proxy) {
        next += 1
        return proxy
      }
    }
    throw new Error(`no port is left between ${first} and ${next}`)
  }

  return {
    all,
    async between(from, to, port) {
      const proxy = await freeProxy(port)
      all.push({ from, to, proxy })
      return proxy.port
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map(({ proxy }) => proxy[Symbol.asyncDispose]()))
    },
  }
}
