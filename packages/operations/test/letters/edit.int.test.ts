import { defineService, event, type Mesh, on, Reject, stream } from '@malha/mesh'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { openOperations, type Operations } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', {
  stream: orders,
  schema: z.object({ city: z.string(), n: z.number() }),
  key: ({ n }) => `o-${n}`,
})
const charged = event('order.charged', { stream: orders, schema: z.object({ n: z.number() }) })

type Order = { city: string; n: number; id: string }

/** Orders for a city that nobody knows. */
async function withLetters(
  count: number,
): Promise<TestMesh & { operations: Operations; called: Order[]; stop: () => Promise<void> }> {
  const test = await testMesh()
  const called: Order[] = []
  const ship = on(placed, { startFrom: 'all' }, ({ city, n }, { id }) => {
    called.push({ city, n, id })
    if (city !== 'Santos') throw new Reject(`there is no ${city}`)
  })
  const running = await test.mesh.start(defineService('shop', { handlers: { ship } }))
  for (let n = 0; n < count; n++) await test.mesh.publish(placed, { city: 'Snatos', n })
  const operations = await openOperations(test.mesh)
  await eventually(async () => {
    await operations.letters.refresh()
    expect(operations.letters.list().total).toBe(count)
  })
  return { ...test, operations, called, stop: () => running.stop() }
}

const said = { who: 'ana', reason: 'the city was misspelt' }

async function redrive({ runs }: Operations): Promise<object> {
  const { id } = await runs.redrive({ filter: {}, who: 'ana' })
  return (await runs.work(id, { who: 'ana' })).counts
}

it('a corrected letter is sent as it is now, under its id; the letter stays, and its record says what was changed', async () => {
  await using test = await withLetters(2)
  const { operations, called, mesh } = test
  const [second, first] = operations.letters.list().letters
  const { letter, changes } = await operations.letters.edit(first!.seq, {
    ...said,
    payload: '{ "n": 0, "city": "Santos" }',
    contracts: [charged, placed],
  })
  expect(changes).toEqual([{ op: 'replace', path: '/city', value: 'Santos' }])
  expect(letter).toMatchObject({ state: 'open', redrives: 0 })
  expect(await recordsOf(mesh)).toMatchObject([{ v: 1, kind: 'edited', ...said, patch: changes }])
  expect(JSON.parse(Buffer.from((await operations.letters.read(first!.seq)).payload).toString())).toEqual({
    city: 'Snatos',
    n: 0,
  })
  expect(JSON.parse(Buffer.from(await operations.letters.payloadToSend(first!.seq)).toString())).toEqual({
    city: 'Santos',
    n: 0,
  })

  expect(await redrive(operations)).toMatchObject({ sent: 2, ok: 1, failed: 1 })
  expect(called.at(-2)).toEqual({ city: 'Santos', n: 0, id: first!.id })
  expect(called.at(-1)).toEqual({ city: 'Snatos', n: 1, id: second!.id })
  await test.stop()
})

it('a correction that fails again can be corrected again, of the letter as it was, and is kept by an index made anew', async () => {
  await using test = await withLetters(1)
  const { operations, mesh, called } = test
  const [{ seq }] = operations.letters.list().letters as unknown as [{ seq: number }]
  await operations.letters.edit(seq, { ...said, payload: '{"n":0,"city":"Stanos"}' })
  expect(await redrive(operations)).toMatchObject({ failed: 1 })
  const { changes } = await operations.letters.edit(seq, { ...said, payload: '{"n":0,"city":"Santos"}' })
  expect(changes).toEqual([{ op: 'replace', path: '/city', value: 'Santos' }])
  using anew = await openOperations(mesh)
  expect(await redrive(anew)).toMatchObject({ sent: 1, ok: 1 })
  expect(called.map(({ city }) => city)).toEqual(['Snatos', 'Stanos', 'Santos'])
  await test.stop()
})

it('what cannot be sent, or is another message, is refused, and nothing is written', async () => {
  await using test = await withLetters(1)
  const { operations, mesh } = test
  const [{ seq }] = operations.letters.list().letters as unknown as [{ seq: number }]
  const edit = (payload: string | Uint8Array, more: object = {}): Promise<unknown> =>
    operations.letters.edit(seq, { ...said, payload, contracts: [placed], ...more })
  await expect(edit('{"n":')).rejects.toThrow(/OPERATIONS_EDIT_REFUSED: the payload is no JSON/)
  await expect(edit('{"n":"0","city":1}')).rejects.toThrow(/OPERATIONS_EDIT_REFUSED: .*does not fit its schema/s)
  await expect(edit('{"n":7,"city":"Santos"}')).rejects.toThrow(/its key would be "o-7" in place of "o-0"/)
  await expect(edit('{"n":0,"city":"Santos"}', { contracts: [charged] })).rejects.toThrow(
    /no contract given is of its type/,
  )
  await expect(edit('{"city":"Snatos","n":0}')).rejects.toThrow(/nothing was changed/)
  await expect(edit('{"n":0,"city":"Santos"}', { reason: ' ' })).rejects.toThrow(/OPERATIONS_INVALID_OPTIONS/)
  await expect(operations.letters.edit(99, { ...said, payload: '{}' })).rejects.toThrow(/OPERATIONS_LETTER_GONE/)
  expect(await recordsOf(mesh)).toEqual([])
  await operations.letters.discard(seq, said)
  await expect(edit('{"n":0,"city":"Santos"}')).rejects.toThrow(/OPERATIONS_LETTER_MOVED: letter .* is discarded/)
  await test.stop()
})

it('is checked by what the services said of its type, where they said it of its version', async () => {
  await using test = await withLetters(1)
  const { operations, mesh } = test
  const [letter] = operations.letters.list().letters
  await eventually(async () => await operations.contracts.read('order.placed'))
  const check = (payload: string, more: object = {}) =>
    operations.letters.edit(letter!.seq, { who: 'ana', payload, dryRun: true, ...more })
  const refused = await check('{"n":"0"}').catch((error: unknown) => error)
  expect(refused).toMatchObject({
    code: 'OPERATIONS_EDIT_REFUSED',
    faults: [
      { pointer: '/city', message: 'is missing' },
      { pointer: '/n', message: 'must be number' },
    ],
  })
  expect(await check('{"n":0,"city":"Santos"}')).toMatchObject({
    letter: { state: 'open', recordSeq: 0 },
    changes: [{ op: 'replace', path: '/city', value: 'Santos' }],
    checkedBy: 'order.placed/1',
  })
  // Nothing was written by that.
  expect(await recordsOf(mesh)).toEqual([])
  await expect(check('{"n":0,"city":"Santos"}', { seen: 7 })).rejects.toThrow(/OPERATIONS_LETTER_MOVED/)
  await expect(check('{"n":0,"city":"Santos"}', { dryRun: false })).rejects.toThrow(
    /OPERATIONS_INVALID_OPTIONS.*reason/,
  )
  await operations.letters.edit(letter!.seq, { ...said, payload: '{"n":0,"city":"Santos"}', seen: 0 })
  await expect(check('{"n":0,"city":"Other"}', { ...said, seen: 0, dryRun: false })).rejects.toThrow(
    /OPERATIONS_LETTER_MOVED/,
  )
  await test.stop()
})

it('of two who correct a letter at once one is told that it moved', async () => {
  await using test = await withLetters(1)
  const { operations, mesh } = test
  using other = await openOperations(mesh)
  const [{ seq }] = operations.letters.list().letters as unknown as [{ seq: number }]
  const both = await Promise.allSettled(
    [operations, other].map(({ letters }, n) => letters.edit(seq, { ...said, payload: `{"n":0,"city":"City ${n}"}` })),
  )
  const written = await recordsOf(mesh)
  expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(written.length)
  const reasons = both.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []))
  expect(reasons.filter((reason) => !reason.includes('OPERATIONS_LETTER_MOVED'))).toEqual([])
  await test.stop()
})

async function recordsOf(mesh: Mesh): Promise<unknown[]> {
  const jsm = await jetstreamManager(mesh.nats)
  const records: unknown[] = []
  // Nobody has written anything: then there is no stream.
  const info = await jsm.streams.info(mesh.names.operations()).catch(() => undefined)
  if (!info) return []
  const { state } = info
  for (let seq = state.first_seq; seq <= state.last_seq && state.messages > 0; seq++)
    records.push((await jsm.streams.getMessage(mesh.names.operations(), { seq }))!.json())
  return records
}
