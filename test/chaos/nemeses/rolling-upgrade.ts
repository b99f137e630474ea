import { shuffled } from '../seeded-random.ts'
import type { ChaosProcess, ChaosSystem } from '../system.ts'
import type { Nemesis } from './nemesis.ts'

const underWay = new WeakSet<ChaosSystem>()

/** The services go back to the release before, one by one, and at the end forward again, one by one. */
export const rollingUpgrade: Nemesis = {
  name: 'rolling-upgrade',
  on: ['single', 'cluster'],
  async begin(system, random) {
    const all = shuffled(
      system.processes.filter((process) => 'release' in process),
      random,
    )
    if (underWay.has(system)) throw new Error('one is under way')
    underWay.add(system)
    const end = async (): Promise<void> => {
      await restart(all, 'current')
      underWay.delete(system)
    }
    await restart(all, 'previous').catch(async (error: unknown) => {
      await end()
      throw error
    })
    return { target: all.map(({ name }) => name).join(', '), end }
  },
}

async function restart(all: readonly ChaosProcess[], which: 'previous' | 'current'): Promise<void> {
  for (const one of all) await one.release?.(which)
}
