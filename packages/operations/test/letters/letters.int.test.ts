import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineService, event, type Mesh, on, Reject, stream } from '@malha/mesh'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type Letters, openOperations } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', {
  stream: orders,
  schema: z.object({ orderId: z.string(), why: z.string() }),
  key: ({ orderId }) => orderId,
})
/** Gives up every order, with what it says. */
const shop = defineService('shop', {
  version: '1.2.3',
  handlers: { bill: on(placed, { startFrom: 'all' }, ({ why }) => Promise.reject(new Reject(why))) },
})

async function deadOrders(mesh: Mesh, reasons: readonly string[]): Promise<void> {
  for (const [index, why] of reasons.entries()) await mesh.publish(placed, { orderId: `o-${index}`, why })
}

async function untilWritten(letters: Letters, total: number): Promise<void> {
  await eventually(async () => {
    await letters.refresh()
    expect(letters.list().total).toBe(total)
  })
}

async function meshWithLetters(reasons: readonly string[]): Promise<TestMesh> {
  const test = await testMesh()
  await test.mesh.start(shop)
  await deadOrders(test.mesh, reasons)
  return test
}

describe('dead letters', () => {
  it('are listed newest first, in pages, and grouped by how they failed', async () => {
    await using test = await meshWithLetters(['city 1 is unknown', 'no room', 'city 2 is unknown', 'city 3 is unknown'])
    using operations = await openOperations(test.mesh)
    const { letters } = operations
    await untilWritten(letters, 4)

    const first = letters.list({ service: 'shop' }, { limit: 3 })
    expect(first.letters.map(({ key }) => key)).toEqual(['o-3', 'o-2', 'o-1'])
    expect(first.letters[0]).toMatchObject({
      kind: 'message',
      service: 'shop',
      handler: 'bill',
      serviceVersion: '1.2.3',
      type: 'order.placed',
      reason: 'MESH_REJECTED: city 3 is unknown',
      errorClass: 'Reject',
      attempts: 1,
    })
    expect(first.groups).toMatchObject([
      { letters: 3, reason: 'MESH_REJECTED: city <n> is unknown', service: 'shop', handler: 'bill' },
      { letters: 1, reason: 'MESH_REJECTED: no room' },
    ])
    const second = letters.list({ service: 'shop' }, { limit: 3, after: first.next })
    expect(second.letters.map(({ key }) => key)).toEqual(['o-0'])
    expect(second.next).toBeUndefined()

    const [cities] = first.groups
    expect(letters.list({ group: cities!.group }).total).toBe(3)
    expect(letters.list({ key: 'o-1' }).letters).toHaveLength(1)
    expect(letters.list({ handler: 'other' })).toEqual({ letters: [], groups: [], total: 0, next: undefined })
    expect(letters.list({ since: '2999-01-01T00:00:00Z' }).total).toBe(0)
  })

  it('are shown whole: payload, headers, stack, attempts', async () => {
    await using test = await meshWithLetters(['no room'])
    using operations = await openOperations(test.mesh)
    const { letters } = operations
    await untilWritten(letters, 1)
    const { seq, subject } = letters.list().letters[0]!
    const letter = await letters.read(seq)
    expect(await letters.read(subject)).toEqual(letter)
    expect(JSON.parse(Buffer.from(letter.payload).toString())).toEqual({ orderId: 'o-0', why: 'no room' })
    expect(Object.fromEntries(letter.headers)).toMatchObject({ 'ce-type': 'order.placed', 'ce-partitionkey': 'o-0' })
    expect(letter.stack).toContain('letters.int.test.ts')
    expect(letter).toMatchObject({ hasPayload: true, origin: { subject: expect.stringContaining('order.placed.') } })
    await expect(letters.read(4711)).rejects.toThrow(/OPERATIONS_LETTER_GONE: letter 4711 /)
  })

  it('hostile text comes out as it went in', async () => {
    const hostile = '<script>alert(1)</script> \u001B[31m \u202Eevil %0d%0a 😀'
    await using test = await meshWithLetters([hostile])
    using operations = await openOperations(test.mesh)
    const { letters } = operations
    await untilWritten(letters, 1)
    expect(letters.list().letters[0]!.reason).toContain(hostile)
  })

  it('an index goes on where it was, and forgets what was removed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'letters-'))
    try {
      await using test = await meshWithLetters(['a', 'b', 'c'])
      const indexFile = join(folder, 'cache', 'letters.sqlite')
      {
        using operations = await openOperations(test.mesh, { indexFile })
        const { letters } = operations
        await untilWritten(letters, 3)
      }
      using operations = await openOperations(test.mesh, { indexFile })
      const { letters } = operations
      expect(await letters.refresh()).toBe(0)
      await test.mesh.publish(placed, { orderId: 'o-9', why: 'd' })
      await untilWritten(letters, 4)

      const jsm = await jetstreamManager(test.mesh.nats)
      const name = test.mesh.names.stream('DEAD_LETTERS')
      await jsm.streams.deleteMessage(name, 2)
      await letters.refresh()
      expect(letters.list().letters.map(({ seq }) => seq)).toEqual([4, 3, 1])
      await jsm.streams.purge(name, { seq: 4 })
      await letters.refresh()
      expect(letters.list().letters.map(({ seq }) => seq)).toEqual([4])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('what is counted as letters come, move and go is what there is', async () => {
    await using test = await meshWithLetters(['city 1', 'city 2', 'city 3', 'no room', 'no room'])
    using operations = await openOperations(test.mesh)
    const { letters } = operations
    await untilWritten(letters, 5)
    const decided = { who: 'ana', reason: 'closed' }
    const [newest, second] = letters.list().letters
    expect(await letters.discard(newest!.seq, decided)).toMatchObject({ state: 'discarded' })
    await letters.discard(second!.seq, decided)
    expect(await letters.reopen(second!.seq, decided)).toMatchObject({ state: 'open' })
    await expect(letters.discard(newest!.seq, decided)).rejects.toThrow(
      /OPERATIONS_LETTER_MOVED: letter \d+ is discarded/,
    )
    await expect(letters.discard(second!.seq, { who: 'ana', reason: ' ' })).rejects.toThrow(
      /OPERATIONS_INVALID_OPTIONS/,
    )
    await expect(letters.discard(99, decided)).rejects.toThrow(/OPERATIONS_LETTER_GONE/)
    const jsm = await jetstreamManager(test.mesh.nats)
    await jsm.streams.deleteMessage(test.mesh.names.stream('DEAD_LETTERS'), 1)
    await letters.refresh()
    // With a time they are counted one by one.
    for (const filter of [{}, { state: 'open' }, { state: 'discarded' }, { code: 'MESH_REJECTED' }] as const) {
      const { total, groups } = letters.list(filter)
      const counted = letters.list({ ...filter, since: '1970-01-01T00:00:00Z' })
      const sizes = (of: typeof groups): [string, number][] => of.map(({ group, letters: size }) => [group, size])
      expect([total, new Map(sizes(groups))]).toEqual([counted.total, new Map(sizes(counted.groups))])
    }
    expect([letters.list({ state: 'open' }).total, letters.list({ state: 'discarded' }).total]).toEqual([3, 1])
  })

  it('one whose message is done after all is late: no redrive takes it until somebody reopens it', async () => {
    await using test = await testMesh()
    const { mesh } = test
    let isMended = false
    const done: string[] = []
    const bill = on(placed, { startFrom: 'all' }, ({ orderId }) => {
      if (!isMended) throw new Reject('no room')
      done.push(orderId)
    })
    const mended = defineService('shop', { handlers: { bill } })
    const running = await mesh.start(mended)
    await deadOrders(mesh, ['a', 'b'])
    using operations = await openOperations(mesh)
    const { letters, runs } = operations
    await untilWritten(letters, 2)
    await running.stop()
    // Somebody has its durable deliver everything again.
    const durable = `${mesh.names.stream('ORDERS')}.${mesh.names.durable('shop', 'bill', 'keyed')}`
    const reset = await mesh.nats.request(`$JS.API.CONSUMER.RESET.${durable}`, JSON.stringify({ seq: 1 }))
    expect(reset.json()).toMatchObject({ reset_seq: 1 })
    isMended = true
    await mesh.start(mended)
    await eventually(async () => {
      await letters.refresh()
      expect(letters.list({ state: 'late' }).total).toBe(2)
    })
    expect(done).toEqual(['o-0', 'o-1'])
    expect((await runs.plan({})).total).toBe(0)
    const [first, second] = letters.list().letters
    await expect(runs.redrive({ filter: {}, who: 'ana' })).rejects.toThrow(
      /OPERATIONS_NOTHING_TO_SEND: no open letter fits the filter; 2 that were done late do.*--with-late/,
    )
    // Unless they are asked for, all of them, or with the others.
    expect(await runs.plan({ withLate: true })).toMatchObject({ total: 2, handlers: [{ letters: 2 }] })
    const late = await runs.redrive({ filter: { letters: [second!.seq], withLate: true }, who: 'ana', reason: 'lost' })
    expect(await runs.work(late.id, { who: 'ana' })).toMatchObject({ total: 1, counts: { sent: 1, ok: 1, gone: 0 } })
    expect(done.splice(2)).toEqual([second!.key])
    await letters.refresh()
    expect(letters.list({ state: 'resolved' }).letters.map(({ seq }) => seq)).toEqual([second!.seq])
    await letters.reopen(first!.seq, { who: 'ana', reason: 'the paper was lost' })
    expect(letters.list({ state: 'open' }).letters.map(({ seq }) => seq)).toEqual([first!.seq])
    await expect(letters.discard(second!.seq, { who: 'ana', reason: 'done' })).rejects.toThrow(/LETTER_MOVED/)
    const run = await runs.redrive({ filter: {}, who: 'ana', reason: 'once more' })
    expect(await runs.work(run.id, { who: 'ana' })).toMatchObject({
      state: 'done',
      total: 1,
      counts: { sent: 1, ok: 1 },
    })
    expect(done).toEqual(['o-0', 'o-1', first!.key])
  })

  it('several who read into one index at once count each letter once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'letters-'))
    try {
      await using test = await meshWithLetters(['a', 'b', 'c', 'd'])
      const indexFile = join(folder, 'letters.sqlite')
      using first = await openOperations(test.mesh, { indexFile })
      using second = await openOperations(test.mesh, { indexFile })
      await eventually(async () => {
        await Promise.all([first.letters.refresh(), second.letters.refresh(), first.letters.refresh()])
        expect(second.letters.list({ since: '1970-01-01T00:00:00Z' }).total).toBe(4)
      })
      expect(first.letters.list().total).toBe(4)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('reading them changes nothing on the server, and makes no consumer', async () => {
    await using test = await meshWithLetters(['a', 'b'])
    const jsm = await jetstreamManager(test.mesh.nats)
    const name = test.mesh.names.stream('DEAD_LETTERS')
    const look = async (): Promise<unknown> => {
      const { config, state } = await jsm.streams.info(name)
      return { config, state }
    }
    using operations = await openOperations(test.mesh)
    const { letters } = operations
    await untilWritten(letters, 2)
    const before = await look()
    await letters.refresh()
    for (const { seq } of letters.list().letters) await letters.read(seq)
    expect(await look()).toEqual(before)
    expect(before).toMatchObject({ state: { consumer_count: 0, messages: 2 } })
  })

  it('a page of the wrong size is refused', async () => {
    await using test = await testMesh()
    using operations = await openOperations(test.mesh)
    const { letters } = operations
    expect(() => letters.list({}, { limit: 0 })).toThrow(/OPERATIONS_INVALID_OPTIONS: limit is 0/)
    await expect(letters.refresh()).rejects.toThrow(/OPERATIONS_NO_LETTERS: there is no stream .*DEAD_LETTERS/)
  })

  it('what was done with a letter is told in order, and who decides on what has changed since is refused', async () => {
    await using test = await meshWithLetters(['a', 'b', 'c'])
    using operations = await openOperations(test.mesh)
    const { letters } = operations
    await untilWritten(letters, 3)
    const [first, second] = letters.list({ letters: [1, 3] }).letters
    expect([first?.seq, second?.seq]).toEqual([3, 1])
    expect(await letters.history(first!.subject)).toEqual([])
    await letters.discard(3, { who: 'ana', reason: 'closed', seen: first!.recordSeq })
    await letters.reopen(3, { who: 'ben', reason: 'not closed' })
    expect(await letters.history(first!.subject)).toMatchObject([
      { kind: 'discarded', who: 'ana', reason: 'closed' },
      { kind: 'reopened', who: 'ben', reason: 'not closed' },
    ])
    // It is open again, as it was when it was looked at; but somebody dealt with it.
    await expect(letters.discard(3, { who: 'eva', reason: 'closed', seen: first!.recordSeq })).rejects.toThrow(
      /OPERATIONS_LETTER_MOVED/,
    )
    expect(await letters.history(first!.subject)).toHaveLength(2)
    expect(await letters.history(second!.subject)).toEqual([])
  })
})
