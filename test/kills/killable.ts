import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Supervised } from '@malha/stack'
import { eventually } from '@malha/testing'
import type { Kill, KillOrder } from './kill-switch.ts'

const SWITCH = new URL('kill-switch.ts', import.meta.url)

/** A supervised process that can be told where to die. */
export type Killable = {
  readonly name: string
  /** What its environment needs for that. */
  readonly env: Record<string, string>
  readonly kills: readonly Kill[]
  /** Gives the order and resolves once it was carried out; `meanwhile` makes the traffic, again while nothing falls. */
  kill(process: Supervised, order: KillOrder, meanwhile: () => Promise<unknown>): Promise<Kill>
}

/** How long traffic is given to bring about the point of a kill before there is more of it. */
const PATIENCE_MS = 8_000
const TRIES = 4

export function killable(name: string, folder: string): Killable {
  const orders = join(folder, `${name}.orders.json`)
  const record = join(folder, `${name}.kills.jsonl`)
  const kills = (): Kill[] => {
    if (!existsSync(record)) return []
    const lines = readFileSync(record, 'utf8').split('\n').filter(Boolean)
    return lines.map((line) => JSON.parse(line) as Kill)
  }
  return {
    name,
    env: { NODE_OPTIONS: `--import=${fileURLToPath(SWITCH)}`, KILL_ORDERS: orders, KILL_RECORD: record },
    get kills() {
      return kills()
    },
    async kill(process, order, meanwhile) {
      await process.whenReady()
      const before = kills().length
      await writeFile(orders, JSON.stringify(order))
      process.kill('SIGUSR2')
      for (let tries = 1; ; tries += 1) {
        const traffic = meanwhile()
        try {
          await eventually(() => kills().length > before, { timeoutMs: PATIENCE_MS })
          await traffic
          return kills().at(-1)!
        } catch (error) {
          await traffic
          if (tries === TRIES) throw new Error(`${name} was not killed ${order.point}`, { cause: error })
        }
      }
    },
  }
}
