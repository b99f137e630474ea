import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { archiveStreams, auditArchive, type ClickHouseOptions, queryArchive } from '@malha/archive'
import { startClickHouse } from '@malha/stack'
import { eventually, testMesh } from '@malha/testing'
import { expect, it } from 'vitest'
import { openOperations, showArchived } from '../../src/index.ts'
import { bank, CARD, payment, PIN, taken } from './payments.ts'

it('events of the archive are shown without what is sensitive; what has no contract, such as a record of a correction, is hidden whole', async () => {
  await using opened = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'operations-redaction-'))
  opened.defer(() => rm(dataDir, { recursive: true, force: true }))
  const clickhouse: ClickHouseOptions = { url: opened.use(await startClickHouse({ dataDir, env: {} })).url }
  const test = opened.use(await testMesh())
  const { mesh } = test
  const running = await mesh.start(bank())
  await mesh.publish(taken, payment)
  using operations = await openOperations(mesh)
  await eventually(async () => {
    await operations.letters.refresh()
    expect(operations.letters.list().total).toBe(1)
    expect(await operations.contracts.services()).toHaveLength(1)
  })
  const [{ seq }] = operations.letters.list().letters as unknown as [{ seq: number }]
  const changed = JSON.stringify({ ...payment, card: `${CARD}-x` })
  await operations.letters.edit(seq, { who: 'ana', reason: 'misread', payload: changed })
  await running.stop()
  const source = { nats: mesh.nats, namespace: mesh.names.namespace }
  await using _ = archiveStreams(source, clickhouse, { pollMs: 100 })
  expect(await auditArchive({ ...source, clickhouse, waitMs: 40_000 })).toMatchObject({ clean: true })

  using looking = await openOperations(mesh)
  const sensitivity = await looking.sensitivity()
  const events = (await queryArchive(clickhouse, { limit: 1000 })).map((event) => showArchived(sensitivity, event))
  const told = events.map((event) =>
    JSON.stringify({ ...event, bytes: Buffer.from(event.payloadBase64, 'base64').toString() }),
  )
  expect(told.filter((text) => text.includes(CARD) || text.includes(PIN))).toEqual([])
  // The event and its letter.
  const paid = events.filter(({ type }) => type === 'payment.taken')
  expect(paid.map(({ hidden, withheld }) => [hidden, withheld])).toEqual([
    [2, null],
    [2, null],
  ])
  const record = events.find(({ subject }) => subject.includes('ops.letter.'))!
  expect(record).toMatchObject({
    payload: undefined,
    payloadBase64: '',
    withheld: expect.stringContaining('no service said'),
  })
})
