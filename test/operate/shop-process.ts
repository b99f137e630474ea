import { fileURLToPath } from 'node:url'
import { type Child, spawnChild } from '@malha/stack'
import type { Random } from '../chaos/random.ts'
import type { DeployedServer } from '../deploy/deployed-server.ts'
import { inheritedEnv, nodeFlags } from '../reference/processes.ts'

const main = fileURLToPath(new URL('shop.ts', import.meta.url))

/** Processes of the shop that can be killed, one at a time, and come back. */
export interface Shop extends AsyncDisposable {
  /** SIGKILL of one of them, which is started again at once. */
  killOne(random: Random): Promise<void>
  stop(): Promise<void>
  /** Those that were stopped. */
  start(): void
}

/** They are the user `shop`. */
export function startShop(
  server: DeployedServer,
  { mended, processes = 2 }: { mended: boolean; processes?: number },
): Shop {
  const running: (Child | undefined)[] = []
  const start = (index: number): void => {
    const child = spawnChild({
      command: process.execPath,
      args: [...nodeFlags, main],
      env: { ...inheritedEnv(), ...server.as('shop'), MENDED: mended ? 'yes' : 'no' },
    })
    running[index] = child
    // One that finds no broker as it starts ends, and is started again as whatever runs it would do.
    void child.exited.then(() => running[index] === child && start(index))
  }
  const end = async (index: number, graceMs?: number): Promise<void> => {
    const child = running[index]
    running[index] = undefined
    await child?.stop(graceMs === undefined ? {} : { graceMs })
  }
  const all = Array.from({ length: processes }, (_, index) => index)
  const startAll = (): void => all.forEach(start)
  const stop = async (): Promise<void> => void (await Promise.all(all.map((index) => end(index))))
  startAll()
  return {
    async killOne(random) {
      const index = random.pick(all)
      await end(index, 0)
      start(index)
    },
    stop,
    start: startAll,
    [Symbol.asyncDispose]: stop,
  }
}
