import { startAgain } from '../system/start-again.ts'
import { eventually } from '@malha/testing'
import type { ChaosLink, ChaosSystem } from '../system.ts'
import type { Nemesis } from './nemesis.ts'
import { cut, processNamed } from './targets.ts'

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

const TABLE = 'archive.events'
const HEALED_WITHIN_MS = 60_000

/** It refuses every insert, as it does where they come faster than it can merge them (TOO_MANY_PARTS). */
export const failingClickhouse: Nemesis = {
  name: 'failing-clickhouse',
  on: ['single', 'cluster'],
  async begin({ clickhouseUrl }) {
    await order(clickhouseUrl, `ALTER TABLE ${TABLE} MODIFY SETTING parts_to_throw_insert = 1`)
    const reset = (): Promise<void> => order(clickhouseUrl, `ALTER TABLE ${TABLE} RESET SETTING parts_to_throw_insert`)
    // It may be away at that moment.
    return { target: NAME, end: () => eventually(reset, { timeoutMs: HEALED_WITHIN_MS, intervalMs: 250 }) }
  },
}

async function order(clickhouseUrl: string, statement: string): Promise<void> {
  const signal = AbortSignal.timeout(5_000)
  const answer = await fetch(clickhouseUrl, { method: 'POST', body: statement, signal })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`ClickHouse answered ${answer.status}: ${text}`)
}

/** It takes no connection. */
export const refuseClickhouse: Nemesis = {
  name: 'refuse-clickhouse',
  on: ['single', 'cluster'],
  begin: async (system) => ({ target: NAME, end: await cut(linksTo(system)) }),
}
