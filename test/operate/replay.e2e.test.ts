import { openOperations } from '@malha/operations'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, it } from 'vitest'
import { seededRandom } from '../chaos/seeded-random.ts'
import { deployedServer } from '../deploy/deployed-server.ts'
import { malhaAs } from '../malha-command.ts'
import { orders, placed } from './contracts.ts'
import { countOf, subjectsOf } from './made.ts'
import { runWithKills } from './run-with-kills.ts'
import { startShop } from './shop-process.ts'
import { shopService } from './shop-service.ts'

const COUNT = 300

it('a stream is replayed as new messages, each handled once, while handlers and the runner are killed; nobody else hears of it', async () => {
  await using server = await deployedServer([shopService(true)])
  const mesh = await server.connect('admin', { name: 'test' })
  await using shop = startShop(server, { mended: true })
  await Promise.all(Array.from({ length: COUNT }, (_, n) => mesh.publish(placed, { n })))
  await eventually(async () => expect(await countOf(mesh, 'bill.counted')).toBe(COUNT), { timeoutMs: 60_000 })
  await eventually(async () => expect(await countOf(mesh, 'bill.made')).toBe(COUNT), { timeoutMs: 60_000 })
  const jsm = await jetstreamManager(mesh.nats)
  const before = (await jsm.streams.info(mesh.names.stream(orders))).state

  const of = ['--service', 'shop', '--handler', 'bill', '--as-new']
  await using dry = malhaAs(server.as('viewer'), 'replay', ...of, '--dry-run', '--json')
  expect(await dry.ended).toBe(0)
  expect(JSON.parse(dry.stdout)).toMatchObject({ total: COUNT, service: 'shop', handler: 'bill', stream: 'ORDERS' })
  expect(await countOf(mesh, 'bill.made')).toBe(COUNT)

  using operations = await openOperations(mesh)
  const args = ['replay', ...of, '--rate', '100']
  const { run } = await runWithKills(server, { args, shop, mesh, operations, random: seededRandom(11), kills: 3 })
  expect(run).toMatchObject({ state: 'done', total: COUNT, counts: { sent: COUNT, ok: COUNT, failed: 0 } })
  // Once when it was placed, once by the run; and counted when it was placed alone.
  expect(new Set(Object.values(await subjectsOf(mesh, 'bill.made')))).toEqual(new Set([2]))
  expect(new Set(Object.values(await subjectsOf(mesh, 'bill.counted')))).toEqual(new Set([1]))
  expect((await jsm.streams.info(mesh.names.stream(orders))).state).toEqual(before)
})
