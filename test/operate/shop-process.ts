import { fileURLToPath } from 'node:url'
import { type Child, spawnChild } from '@malha/stack'
import type { Random } from '../chaos/random.ts'
import { inheritedEnv, nodeFlags } from '../reference/processes.ts'

const main = fileURLToPath(new URL('shop.ts', import.meta.url))

/** Processes of the shop that can be killed, one at a time, and come back. */
export interface Shop extends AsyncDisposable {
  /** SIGKILL of one of them, which is started again at once. */
  killOne(random: Random): Promise<void>
  stop(): Promise<void>
}

export function startShop(url: string, { mended, processes = 2 }: { mended: boolean; processes?: number }): Shop {
  const start = (): Child =>
    spawnChild({
      command: process.execPath,
      args: [...nodeFlags, main],
      env: { ...inheritedEnv(), NATS_URL: url, MENDED: mended ? 'yes' : 'no' },
    })
  const running = Array.from({ length: processes }, start)
  const stop = async (): Promise<void> => void (await Promise.all(running.map((child) => child.stop())))
  return {
    async killOne(random) {
      const index = random.int(0, running.length - 1)
      await running[index]!.stop({ graceMs: 0 })
      running[index] = start()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
