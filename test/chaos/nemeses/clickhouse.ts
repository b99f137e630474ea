import type { ChaosLink, ChaosSystem } from '../system.ts'
import type { Nemesis } from './nemesis.ts'
import { cut, processNamed, startAgain } from './targets.ts'

const NAME = 'clickhouse'
const SLOW_MS = 3_000

const linksTo = ({ links }: ChaosSystem): ChaosLink[] => links.filter(({ to }) => to === NAME)

/** SIGKILL; it is away until the end. */
export const killClickhouse: Nemesis = {
  name: 'kill-clickhouse',
  on: ['single', 'cluster'],
  async begin(system) {
    const clickhouse = processNamed(system, NAME)
    await clickhouse.kill()
    return { target: NAME, end: () => startAgain(clickhouse) }
  },
}

/** SIGTERM; it is away until the end. */
export const stopClickhouse: Nemesis = {
  name: 'stop-clickhouse',
  on: ['single', 'cluster'],
  async begin(system) {
    const clickhouse = processNamed(system, NAME)
    await clickhouse.stop()
    return { target: NAME, end: () => startAgain(clickhouse) }
  },
}

/** It takes seconds to answer. */
export const slowClickhouse: Nemesis = {
  name: 'slow-clickhouse',
  on: ['single', 'cluster'],
  begin(system) {
    for (const { proxy } of linksTo(system)) proxy.delay(SLOW_MS, 'toClient')
    const end = (): Promise<void> => {
      for (const { proxy } of linksTo(system)) proxy.delay(0, 'toClient')
      return Promise.resolve()
    }
    return Promise.resolve({ target: NAME, end })
  },
}

/** It takes no connection. */
export const refuseClickhouse: Nemesis = {
  name: 'refuse-clickhouse',
  on: ['single', 'cluster'],
  begin: async (system) => ({ target: NAME, end: await cut(linksTo(system)) }),
}
