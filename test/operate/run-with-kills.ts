import type { Operations, Run } from '@malha/operations'
import { eventually, type TestServer } from '@malha/testing'
import { expect } from 'vitest'
import type { Random } from '../chaos/random.ts'
import { malha } from '../malha-command.ts'
import type { Shop } from './shop-process.ts'

type Kills = {
  /** Of the command that begins the run. */
  args: readonly string[]
  shop: Shop
  operations: Operations
  random: Random
  kills: number
}

/** A command that works on a run, killed and followed by another until it ends by itself; processes of the shop are killed too. */
export async function runWithKills(server: TestServer, options: Kills): Promise<Run> {
  const { shop, operations, random, kills } = options
  const where = ['--server', server.url, '--json']
  let args = [...options.args, '--who', 'test', ...where]
  for (let kill = 0; ; kill++) {
    await using command = malha(...args)
    let isOver = false
    void command.ended.then(() => (isOver = true))
    if (kill < kills) {
      const before = await sentBy(operations)
      const least = before + 3 + random.int(0, 9)
      await eventually(async () => expect(isOver || (await sentBy(operations)) >= least).toBe(true), {
        timeoutMs: 60_000,
      })
      await shop.killOne(random)
      command.process.kill('SIGKILL')
    }
    await command.ended
    const [run] = await operations.runs.list()
    if (kill >= kills) {
      expect([command.stderr.includes('Error'), await command.ended]).toEqual([false, 0])
      return JSON.parse(command.stdout) as Run
    }
    args = ['runs', 'work', run!.id, ...where]
  }
}

async function sentBy({ runs }: Operations): Promise<number> {
  const [run] = await runs.list()
  return run?.counts.sent ?? 0
}
