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
  /** Gives the order and resolves once it was carried out and its traffic is over. */
  kill(process: Supervised, order: KillOrder, around: Around): Promise<Kill>
}

export type Around = {
  /** Makes the traffic in which the kill falls; called again when it did not fall. */
  meanwhile: () => Promise<unknown>
  /** What it takes for that traffic to come to an end after the kill. */
  after?: () => Promise<unknown>
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
    async kill(process, order, { meanwhile, after }) {
      await process.whenReady()
      const before = kills().length
      await writeFile(orders, JSON.stringify(order))
      process.kill('SIGUSR2')
      for (let tries = 1; ; tries += 1) {
        const traffic = meanwhile()
        const fell = await eventually(() => kills().length > before, { timeoutMs: PATIENCE_MS }).catch(() => false)
        if (fell) await after?.()
        await traffic
        if (fell) return kills().at(-1)!
        if (tries === TRIES)
          throw new Error(`no kill ${order.point} in ${name}: ${order.least} were never in flight there`)
      }
    },
  }
}
