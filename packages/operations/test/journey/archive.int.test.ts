import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { archiveStreams, auditArchive, type ClickHouseOptions } from '@malha/archive'
import { startClickHouse } from '@malha/stack'
import { eventually, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, it } from 'vitest'
import { type Answer, openOperations } from '../../src/index.ts'
import { orders, placed, shopWith } from '../why/shop.ts'

it('what left its stream is found in the archive, and told apart: done, aged out and in no letter yet, and in a letter', async () => {
  await using opened = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'malha-journey-'))
  opened.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  const clickhouse: ClickHouseOptions = { url: opened.use(await startClickHouse({ dataDir, env: {} })).url }
  await using test = await testMesh()
  const { mesh, nats, namespace } = test
  using looking = await openOperations(await test.connect({ topology: 'none' }), { archive: clickhouse })
  const shop = shopWith(() => undefined)
  const running = await mesh.start(shop)
  const first = (await mesh.publish(placed, { orderId: 'o-1' })) as { id: string }
  await eventually(async () => expect(await looking.why('o-1')).toMatchObject({ situation: 'done' }))
  await running.stop()
  const second = (await mesh.publish(placed, { orderId: 'o-2' })) as { id: string }
  {
    await using _ = archiveStreams({ nats, namespace }, clickhouse, { pollMs: 100 })
    const { clean } = await auditArchive({ nats, namespace, clickhouse, waitMs: 40_000 })
    expect(clean).toBe(true)
  }
  await mesh.publish(placed, { orderId: 'o-3' })
  const jsm = await jetstreamManager(nats)
  await jsm.streams.purge(mesh.names.stream(orders), { seq: 3 })

  const situation = ({ situation: what, as }: Answer): unknown => [what, as]
  expect(situation(await looking.why(first.id))).toEqual(['done', 'id'])
  expect(situation(await looking.why('o-1'))).toEqual(['done', 'key'])
  expect(situation(await looking.why(second.id))).toEqual(['expired', 'id'])
  await mesh.start(shop)
  await eventually(async () =>
    expect(await looking.why(second.id)).toMatchObject({
      situation: 'expired',
      sentence: `order.placed o-2 left ${mesh.names.stream(orders)} before shop/bill was done with it: letter 1, sequences 2-2`,
      next: 'malha dlq show 1',
    }),
  )
  const journey = await looking.journey(second.id)
  expect(journey).toMatchObject({ as: 'id', events: 1, missing: [], roots: [{ event: { foundIn: 'archive' } }] })
  // What is too new for the archive is found beside it.
  expect(situation(await looking.why('o-3'))).toEqual(['done', 'key'])
})

it('an archive and a store of traces that are away are named, and what the streams have is shown', async () => {
  await using test = await testMesh()
  const { mesh } = test
  const away = 'http://127.0.0.1:1'
  using operations = await openOperations(mesh, { archive: { url: away }, traces: away })
  await mesh.provision(shopWith(() => undefined))
  const { id } = (await mesh.publish(placed, { orderId: 'o-1' })) as { id: string }
  const { missing, ...found } = await operations.journey(id)
  expect(found).toMatchObject({ as: 'id', events: 1 })
  expect(missing).toEqual([expect.stringMatching(/^the archive: ARCHIVE_UNREACHABLE: .*127\.0\.0\.1:1 /)])
})
