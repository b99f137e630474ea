import { type FaultProxy, faultProxy } from '@malha/testing'
import type { ChaosLink } from '../system.ts'

/** The proxies between the processes of a run. */
export interface Links extends AsyncDisposable {
  readonly all: readonly ChaosLink[]
  /** The port that `from` dials to reach `to`, which listens on `port`. */
  between(from: string, to: string, port: number): Promise<number>
}

export function openLinks(): Links {
  const all: ChaosLink[] = []
  return {
    all,
    async between(from, to, port) {
      const proxy: FaultProxy = await faultProxy({ target: port })
      all.push({ from, to, proxy })
      return proxy.port
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map(({ proxy }) => proxy[Symbol.asyncDispose]()))
    },
  }
}
