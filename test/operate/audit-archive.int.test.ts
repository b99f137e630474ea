import { defineService, on, Reject } from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { eventually } from '@malha/testing'
import { expect, test } from 'vitest'
import { testArchive } from '../bad-input/archive.ts'
import { deployedServer } from '../deploy/deployed-server.ts'
import { placed } from './contracts.ts'

const shop = defineService('shop', {
  handlers: { bill: on(placed, { startFrom: 'all' }, () => Promise.reject(new Reject('no room'))) },
})

test('an archive that began before anything was done has every act, with how it ended', async () => {
  await using server = await deployedServer([shop])
  const mesh = await server.connect('operator')
  await using archive = await testArchive({ nats: (await server.connect('archive')).nats, namespace: '' })
  await (await server.connect('shop')).start(shop)
  await (await server.connect('admin')).publish(placed, { n: 1 })
  using operations = await openOperations(mesh, { from: 'desk-7' })
  await eventually(async () => {
    await operations.letters.refresh()
    expect(operations.letters.list().total).toBe(1)
  })
  const [letter] = operations.letters.list().letters
  expect(await archive.audit()).toMatchObject({ clean: true })
  const seq = letter!.seq
  await operations.letters.discard(seq, { who: 'ana', reason: 'the shop is closed' })
  await expect(operations.letters.discard(seq, { who: 'rui', reason: 'the same' })).rejects.toThrow(/LETTER_MOVED/)

  const { clean, streams } = await archive.audit()
  expect(clean).toBe(true)
  expect(streams.map(({ stream }) => stream)).toContain(mesh.names.stream('AUDIT'))
  const events = await archive.events('AUDIT')
  expect(events.map(({ type }) => type)).toEqual(Array.from({ length: 4 }, () => 'audit.entry.written'))
  const entries = events.map(({ payload }) => JSON.parse(payload!) as Record<string, unknown>)
  expect(entries).toMatchObject([
    { who: 'ana', from: 'desk-7', action: 'letter.discard', target: letter!.subject, outcome: 'begun' },
    { who: 'ana', before: { state: 'open' }, after: { state: 'discarded' }, outcome: 'done' },
    { who: 'rui', outcome: 'begun' },
    { who: 'rui', before: { state: 'discarded' }, outcome: 'refused' },
  ])
  expect(new Set(events.map(({ correlationId }) => correlationId)).size).toBe(2)
})
