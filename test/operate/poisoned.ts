import type { Mesh } from '@malha/mesh'
import { type AuditList, openOperations, type Operations, type Run } from '@malha/operations'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect } from 'vitest'
import { seededRandom } from '../chaos/seeded-random.ts'
import { type DeployedServer, deployedServer } from '../deploy/deployed-server.ts'
import { malhaAs } from '../malha-command.ts'
import { orders, placed } from './contracts.ts'
import { countOf, subjectsOf } from './made.ts'
import { BROKER_CHANCE, runWithKills } from './run-with-kills.ts'
import { startShop } from './shop-process.ts'
import { shopService } from './shop-service.ts'

/** Every tenth order is poison. */
export const POISON_EVERY = 10

export type Poisoned = {
  orders: number
  seed: number
  kills: number
  /** Letters sent again a second. @default 100 */
  rate?: number
  /** The broker is killed too, now and then. */
  killsBroker?: true
  /** Once the runner is followed by another only when the server has forgotten what it was sent. */
  outlivesWindow?: true
}

/** What a redrive went through, and what came of it. */
export type Redriven = {
  seed: number
  orders: number
  letters: number
  /** How often each was killed: runners, processes of handlers, the broker. */
  kills: { runner: number; handlers: number; broker: number }
  /** Messages that a later runner stored a second time, because the server had forgotten their ids. */
  storedTwice: number
  resolved: number
  /** Of all orders, those with no effect of a handler, and with more than one. */
  lost: number
  double: number
}

/**
 * Orders of which every tenth fails, while processes are killed; then the shop is mended and the letters are sent again, by a
 * command that is killed too. All is asserted on the way.
 */
export async function redriveUnderKills({
  orders: count,
  seed,
  kills,
  rate = 100,
  ...harm
}: Poisoned): Promise<Redriven> {
  await using server = await deployedServer([shopService(true)])
  const mesh = await server.connect('admin', { name: 'test' })
  using operations = await openOperations(mesh)
  const random = seededRandom(seed)
  const killed = { runner: 0, handlers: 0, broker: 0 }
  const poison = count / POISON_EVERY
  {
    await using shop = startShop(server, { mended: false })
    const killSome = async (): Promise<void> => {
      await shop.killOne(random)
      killed.handlers += 1
      if (!harm.killsBroker || !random.chance(BROKER_CHANCE)) return
      await server.restart()
      killed.broker += 1
    }
    await publishAll(mesh, count, killSome, kills)
    await eventually(async () => expect(await countOf(mesh, 'bill.counted')).toBe(count), { timeoutMs: 120_000 })
    await eventually(async () => expect(await countOf(mesh, 'bill.made')).toBe(count - poison), { timeoutMs: 120_000 })
    await untilLetters(operations, poison)
  }
  await using shop = startShop(server, { mended: true })
  const args = ['dlq', 'redrive', '--all', '--rate', String(rate)]
  const { run, storedTwice } = await runWithKills(server, {
    args,
    shop,
    mesh,
    operations,
    random,
    kills,
    killed,
    ...harm,
  })
  expect(run).toMatchObject({ state: 'done', total: poison, counts: { ok: poison, failed: 0, overtaken: 0, gone: 0 } })
  await operations.letters.refresh()
  expect(operations.letters.list({ state: 'resolved' }).total).toBe(poison)
  await expectAudited(server, run)
  // Each order was billed and counted once, whoever was killed.
  const effects = await effectsOf(mesh, count)
  expect(effects).toEqual({ lost: 0, double: 0 })
  const { total: resolved } = operations.letters.list({ state: 'resolved' })
  return { seed, orders: count, letters: poison, kills: killed, storedTwice, resolved, ...effects }
}

async function publishAll(mesh: Mesh, count: number, kill: () => Promise<void>, kills: number): Promise<void> {
  const part = Math.ceil(count / (kills + 1))
  for (let from = 0; from < count; from += part) {
    const some = Array.from({ length: Math.min(count - from, part) }, (_, index) => from + index)
    const published = Promise.all(some.map((n) => mesh.publish(placed, { n })))
    if (from > 0) await kill()
    await published
  }
}

/** The command that began it, and each that took it over. */
async function expectAudited(server: DeployedServer, { id, total }: Run): Promise<void> {
  await using command = malhaAs(server.as('viewer'), 'audit', 'list', '--target', id, '--json')
  expect([await command.ended, command.stderr]).toEqual([0, ''])
  const { acts } = JSON.parse(command.stdout) as AuditList
  expect(acts.at(-1)).toMatchObject({ action: 'run.begin', who: 'test', after: { total }, outcome: 'done' })
  expect(new Set(acts.slice(0, -1).map(({ action }) => action))).toEqual(new Set(['run.work']))
}

async function untilLetters(operations: Operations, count: number): Promise<void> {
  await eventually(
    async () => {
      await operations.letters.refresh()
      expect(operations.letters.list().total).toBe(count)
    },
    { timeoutMs: 120_000 },
  )
}

/** Over both handlers: orders without an effect, and with more than one. */
async function effectsOf(mesh: Mesh, count: number): Promise<{ lost: number; double: number }> {
  const sums = { lost: 0, double: 0 }
  for (const type of ['bill.made', 'bill.counted']) {
    const messages = Object.values(await subjectsOf(mesh, type))
    sums.lost += count - messages.length
    sums.double += messages.filter((each) => each !== 1).length
  }
  expect((await (await jetstreamManager(mesh.nats)).streams.info(mesh.names.stream(orders))).state.messages).toBe(count)
  return sums
}
