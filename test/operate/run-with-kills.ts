import type { Mesh } from '@malha/mesh'
import type { Operations, Run } from '@malha/operations'
import { eventually } from '@malha/testing'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Random } from '../chaos/random.ts'
import type { DeployedServer } from '../deploy/deployed-server.ts'
import { malhaAs } from '../malha-command.ts'
import { lanesOf } from './lanes.ts'
import type { Shop } from './shop-process.ts'

type Kills = {
  /** Of the command that begins the run. */
  args: readonly string[]
  shop: Shop
  mesh: Mesh
  operations: Operations
  random: Random
  kills: number
  /** Is counted up. */
  killed?: { runner: number; handlers: number; broker: number }
  killsBroker?: true
  outlivesWindow?: true
}

/** Of a kill that takes the broker with it. */
export const BROKER_CHANCE = 0.3

const PATIENT = { timeoutMs: 60_000 }
/** A runner writes down how far it is twice a second: it is killed at any moment between two of these. */
const SAVE_MS = 500

/** The kill after which the next runner comes late: early enough that there is much to send still. */
const OUTLIVES = 2
/** What is sent by then and not written down. */
const UNSAVED = 3

type Killed = { run: Run; /** Messages that a late runner stored a second time. */ storedTwice: number }

/** A command that works on a run, killed and followed by another until it ends by itself; processes of the shop are killed too. */
export async function runWithKills(server: DeployedServer, options: Kills): Promise<Killed> {
  const { operations, kills, outlivesWindow } = options
  const operator = server.as('operator')
  let storedTwice = 0
  let args = [...options.args, '--who', 'test', '--json']
  for (let kill = 0; ; kill++) {
    await using command = malhaAs(operator, ...args)
    let isOver = false
    void command.ended.then(() => (isOver = true))
    const end = (): boolean => !isOver && command.process.kill('SIGKILL')
    const sentMore = async (least: number): Promise<void> => {
      const before = await eventually(() => sentBy(operations), PATIENT)
      await eventually(async () => expect(isOver || (await sentBy(operations)) >= before + least).toBe(true), PATIENT)
    }
    if (kill < kills) {
      const isLong = outlivesWindow && kill === OUTLIVES
      if (isLong) storedTwice = await outliveWindow(options, { end, sentMore, operator })
      else await killSome(server, options, { end, sentMore })
    }
    await command.ended
    const [run] = await eventually(() => operations.runs.list(), PATIENT)
    if (kill >= kills) {
      expect([command.stderr.includes('Error'), await command.ended]).toEqual([false, 0])
      return { run: JSON.parse(command.stdout) as Run, storedTwice }
    }
    if (!run) throw new Error(`no run was begun: ${command.stderr}`)
    args = ['runs', 'work', run.id, '--json']
  }
}

type Command = {
  /** True unless it had ended by itself. */ end: () => boolean
  sentMore: (least: number) => Promise<void>
}

async function killSome(server: DeployedServer, options: Kills, command: Command): Promise<void> {
  const { shop, random, killsBroker, killed = { runner: 0, handlers: 0, broker: 0 } } = options
  await command.sentMore(3 + random.int(0, 9))
  await shop.killOne(random)
  killed.handlers += 1
  if (killsBroker && random.chance(BROKER_CHANCE)) {
    await server.restart()
    killed.broker += 1
  }
  await sleep(random.int(0, SAVE_MS))
  if (command.end()) killed.runner += 1
}

/**
 * The runner is killed with messages sent that it has not written down, nobody handles them, and the next one comes when the
 * server no longer knows their ids: so it stores them a second time, and only their claims tell that they are the same.
 */
async function outliveWindow(
  { shop, mesh, operations, killed }: Kills,
  { end, sentMore, operator }: Command & { operator: Readonly<Record<string, string>> },
): Promise<number> {
  const lanes = lanesOf(mesh, 'shop')
  await sentMore(3)
  await shop.stop()
  const unsaved = async (): Promise<number> => (await lanes.ids()).length - (await waitingOf(operations))
  await eventually(async () => expect(await unsaved()).toBeGreaterThan(UNSAVED), PATIENT)
  end()
  const id = (await operations.runs.list())[0]!.id
  await lanes.outliveWindow()
  await using next = malhaAs(operator, 'runs', 'work', id, '--json')
  const storedTwice = await eventually(async () => {
    const ids = await lanes.ids()
    const twice = ids.length - new Set(ids).size
    expect(twice).toBeGreaterThan(0)
    return twice
  }, PATIENT)
  shop.start()
  await sentMore(3)
  next.process.kill('SIGKILL')
  await next.ended
  if (killed) {
    killed.runner += 2
    killed.handlers += 2
  }
  return storedTwice
}

async function sentBy({ runs }: Operations): Promise<number> {
  const [run] = await runs.list()
  return run?.counts.sent ?? 0
}

/** Sent and without an outcome, as far as the run has written down. */
async function waitingOf({ runs }: Operations): Promise<number> {
  const { sent, ok, already, failed, overtaken } = (await runs.list())[0]!.counts
  return sent - ok - already - failed - overtaken
}
