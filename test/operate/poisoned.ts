import { connectMesh, type Mesh } from '@malha/mesh'
import { type AuditList, openOperations, type Operations, type Run } from '@malha/operations'
import { eventually, type TestServer, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect } from 'vitest'
import { seededRandom } from '../chaos/seeded-random.ts'
import { malha } from '../malha-command.ts'
import { orders, placed } from './contracts.ts'
import { countOf, subjectsOf } from './made.ts'
import { runWithKills } from './run-with-kills.ts'
import { startShop } from './shop-process.ts'

/** Every tenth order is poison. */
export const POISON_EVERY = 10

export type Poisoned = { orders: number; seed: number; kills: number }

/**
 * Orders of which every tenth fails, while processes are killed; then the shop is mended and the letters are sent again, by a
 * command that is killed too. All is asserted on the way.
 */
export async function redriveUnderKills({ orders: count, seed, kills }: Poisoned): Promise<void> {
  await using server = await testServer()
  await using mesh = await connectMesh({ servers: server.url, name: 'test' })
  using operations = await openOperations(mesh)
  const random = seededRandom(seed)
  const poison = count / POISON_EVERY
  {
    await using shop = startShop(server.url, { mended: false })
    await publishAll(mesh, count, async () => await shop.killOne(random), kills)
    await eventually(async () => expect(await countOf(mesh, 'bill.counted')).toBe(count), { timeoutMs: 120_000 })
    await eventually(async () => expect(await countOf(mesh, 'bill.made')).toBe(count - poison), { timeoutMs: 120_000 })
    await untilLetters(operations, poison)
  }
  await using shop = startShop(server.url, { mended: true })
  const args = ['dlq', 'redrive', '--all', '--rate', '100']
  const run = await runWithKills(server, { args, shop, operations, random, kills })
  expect(run).toMatchObject({ state: 'done', total: poison, counts: { ok: poison, failed: 0, overtaken: 0, gone: 0 } })
  await operations.letters.refresh()
  expect(operations.letters.list({ state: 'resolved' }).total).toBe(poison)
  await expectAudited(server, run)
  // Each order was billed and counted once, whoever was killed.
  await expectOnce(mesh, count)
}

async function publishAll(mesh: Mesh, count: number, kill: () => Promise<void>, kills: number): Promise<void> {
  for (let from = 0; from < count; from += count / (kills + 1)) {
    const some = Array.from({ length: Math.min(count - from, count / (kills + 1)) }, (_, index) => from + index)
    await Promise.all(some.map((n) => mesh.publish(placed, { n })))
    if (from > 0) await kill()
  }
}

/** The command that began it, and each that took it over. */
async function expectAudited(server: TestServer, { id, total }: Run): Promise<void> {
  await using command = malha('audit', 'list', '--target', id, '--server', server.url, '--json')
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

async function expectOnce(mesh: Mesh, count: number): Promise<void> {
  for (const type of ['bill.made', 'bill.counted']) {
    const subjects = await subjectsOf(mesh, type)
    expect([type, Object.keys(subjects).length]).toEqual([type, count])
    expect([type, Object.entries(subjects).filter(([, messages]) => messages !== 1)]).toEqual([type, []])
  }
  expect((await (await jetstreamManager(mesh.nats)).streams.info(mesh.names.stream(orders))).state.messages).toBe(count)
}
