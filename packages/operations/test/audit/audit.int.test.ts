import { defineService, event, type Mesh, on, Reject, stream } from '@malha/mesh'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { DiscardPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type ListedLetter, openOperations, type Operations } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', { stream: orders, schema: z.object({ n: z.number() }) })
const shop = defineService('shop', {
  handlers: { bill: on(placed, { startFrom: 'all' }, () => Promise.reject(new Reject('no room'))) },
})

type WithLetters = TestMesh & { operations: Operations; letters: ListedLetter[] }

async function withLetters(count: number): Promise<WithLetters> {
  const test = await testMesh()
  const running = await test.mesh.start(shop)
  for (let n = 0; n < count; n++) await test.mesh.publish(placed, { n })
  const operations = await openOperations(test.mesh, { from: 'desk-7' })
  await eventually(async () => {
    await operations.letters.refresh()
    expect(operations.letters.list().total).toBe(count)
  })
  await running.stop()
  return { ...test, operations, letters: [...operations.letters.list().letters] }
}

const ana = { who: 'ana', reason: 'the shop is closed' }

/** What an auditor reads of each act, the oldest first. */
async function actsOf({ audit }: Operations): Promise<object[]> {
  const { acts } = await audit.list()
  return acts
    .map(({ action, who, target, before, after, outcome }) => ({
      action,
      who,
      target,
      before,
      after,
      outcome,
    }))
    .toReversed()
}

const auditOf = (mesh: Mesh): string => mesh.names.stream('AUDIT')

describe('what is done with letters and runs', () => {
  it('is written down each time, with who, from where, what it was, what it became, and why', async () => {
    await using test = await withLetters(1)
    const {
      operations,
      letters: [letter],
    } = test
    expect(await operations.audit.list()).toEqual({ acts: [], unreadable: 0, next: undefined })
    await operations.letters.discard(letter!.seq, ana)
    await operations.letters.reopen(letter!.seq, { who: 'rui', reason: 'it is not' })
    const { id } = await operations.runs.redrive({ filter: { service: 'shop' }, ...ana })
    await operations.runs.pause(id, { who: 'rui' })
    await operations.runs.resume(id, ana)
    await operations.runs.work(id, { who: 'rui', signal: AbortSignal.abort() })
    const { runner } = await operations.runs.read(id)
    await operations.runs.cancel(id, ana)

    const target = letter!.subject
    const state = (of: string): { state: string } => ({ state: of })
    const outcome = 'done'
    expect(await actsOf(operations)).toEqual([
      { action: 'letter.discard', who: 'ana', target, before: state('open'), after: state('discarded'), outcome },
      { action: 'letter.reopen', who: 'rui', target, before: state('discarded'), after: state('open'), outcome },
      {
        action: 'run.begin',
        who: 'ana',
        target: id,
        before: null,
        after: expect.objectContaining({ kind: 'redrive', filter: { service: 'shop' }, total: 1, state: 'running' }),
        outcome,
      },
      { action: 'run.pause', who: 'rui', target: id, before: state('running'), after: state('paused'), outcome },
      { action: 'run.resume', who: 'ana', target: id, before: state('paused'), after: state('running'), outcome },
      {
        action: 'run.work',
        who: 'rui',
        target: id,
        before: { state: 'running', runner: '' },
        after: { state: 'running', runner },
        outcome,
      },
      { action: 'run.cancel', who: 'ana', target: id, before: state('running'), after: state('cancelled'), outcome },
    ])
    const { acts } = await operations.audit.list()
    expect(acts.at(-1)).toMatchObject({ reason: 'the shop is closed', from: 'desk-7', fault: null })
    expect(acts.find(({ action }) => action === 'run.pause')).toMatchObject({ reason: null })
  })

  it('is no act where nothing has to be done, or it is not said by whom', async () => {
    await using test = await withLetters(1)
    const { runs, letters, audit } = test.operations
    const { id } = await runs.redrive({ filter: {}, ...ana })
    await runs.resume(id, ana)
    await expect(runs.pause(id, { who: ' ' })).rejects.toThrow(/OPERATIONS_INVALID_OPTIONS: who must say who does it/)
    await expect(letters.discard(1, { who: '' })).rejects.toThrow(/who must say .*; reason must say why/)
    await expect(runs.pause('nothing', ana)).rejects.toThrow(/OPERATIONS_NO_RUN/)
    expect((await audit.list()).acts.map(({ action }) => action)).toEqual(['run.begin'])
    expect(await runs.read(id)).toMatchObject({ state: 'running' })
  })

  it('that is refused leaves its refusal: of two who decide at once one is told so', async () => {
    await using test = await withLetters(1)
    const {
      operations,
      letters: [letter],
    } = test
    using other = await openOperations(test.mesh)
    const [seq, target] = [letter!.seq, letter!.subject]
    const both = await Promise.allSettled([
      operations.letters.discard(seq, ana),
      other.letters.discard(seq, { who: 'rui', reason: 'the same' }),
    ])
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    await expect(operations.letters.discard(seq, ana)).rejects.toThrow(/OPERATIONS_LETTER_MOVED/)
    const { acts } = await operations.audit.list({ target, action: 'letter.discard' })
    expect(acts.map(({ outcome }) => outcome).toSorted()).toEqual(['done', 'refused', 'refused'])
    for (const { fault } of acts.filter(({ outcome }) => outcome === 'refused'))
      expect(fault).toMatch(/OPERATIONS_LETTER_MOVED: letter \d+ is .*nothing was written/)

    const { id } = await operations.runs.redrive({ filter: {}, ...ana }).catch(async () => {
      await operations.letters.reopen(seq, ana)
      return await operations.runs.redrive({ filter: {}, ...ana })
    })
    await operations.runs.cancel(id, ana)
    await expect(operations.runs.resume(id, ana)).rejects.toThrow(/OPERATIONS_RUN_OVER/)
    expect((await operations.audit.list({ target: id })).acts[0]).toMatchObject({
      action: 'run.resume',
      outcome: 'refused',
      before: { state: 'cancelled' },
      fault: expect.stringContaining('OPERATIONS_RUN_OVER'),
    })
  })
})

describe('where an act cannot be written down', () => {
  const unwritable = {
    'a full stream': {
      discard: DiscardPolicy.New,
      max_msgs: 1,
      metadata: { 'malha.owner': 'malha', 'malha.revision': '2', 'malha.format': '1' },
    },
    'a stream of somebody else': {},
  }
  it.each(Object.entries(unwritable))('for %s, nothing is done', async (_, config) => {
    await using test = await withLetters(1)
    const {
      mesh,
      operations,
      letters: [letter],
    } = test
    const jsm = await jetstreamManager(mesh.nats)
    await jsm.streams.add({ name: auditOf(mesh), subjects: [mesh.names.subject('audit.>')], ...config })
    await jetstream(mesh.nats).publish(mesh.names.subject('audit.test'), 'no entry')
    const before = await namesOf(mesh)
    await expect(operations.letters.discard(letter!.seq, ana)).rejects.toThrow(
      /OPERATIONS_NOT_AUDITED: letter.discard of dlq\..* was not done, [^]*(MESH_STREAM_FULL|not the mesh’s)/,
    )
    await expect(operations.runs.redrive({ filter: {}, ...ana })).rejects.toThrow(/OPERATIONS_NOT_AUDITED: run.begin/)
    expect(await namesOf(mesh)).toEqual(before)
    await operations.letters.refresh()
    expect(operations.letters.list().letters).toMatchObject([{ state: 'open', recordSeq: 0 }])
    expect(await operations.runs.list()).toEqual([])
  })
})

async function namesOf(mesh: Mesh): Promise<string[]> {
  const jsm = await jetstreamManager(mesh.nats)
  const names: string[] = []
  for await (const name of jsm.streams.names()) names.push(name)
  return names.toSorted()
}

describe('the stream AUDIT', () => {
  it('forgets nothing: whoever may do everything deletes and purges nothing of it, and no entry ages', async () => {
    await using test = await withLetters(1)
    const {
      mesh,
      operations,
      letters: [letter],
    } = test
    await operations.letters.discard(letter!.seq, ana)
    const jsm = await jetstreamManager(mesh.nats)
    const name = auditOf(mesh)
    await expect(jsm.streams.deleteMessage(name, 1)).rejects.toThrow(/message delete not permitted/)
    await expect(jsm.streams.purge(name)).rejects.toThrow(/stream purge not permitted/)
    await expect(jsm.streams.update(name, { deny_purge: false })).rejects.toThrow(/can not cancel deny purge/)
    const { config, state } = await jsm.streams.info(name)
    expect(state.messages).toBe(2)
    expect(config).toMatchObject({
      retention: 'limits',
      max_age: 0,
      discard: 'new',
      deny_delete: true,
      deny_purge: true,
    })
    expect(config.allow_msg_ttl ?? false).toBe(false)
    expect(config.metadata).toMatchObject({ 'malha.kind': 'audit', 'malha.owner': 'malha' })
  })

  it('leaves the rest of its word to events, as the stream OPERATIONS does', async () => {
    await using test = await withLetters(1)
    const { mesh, operations, letters } = test
    const own = stream('OWN', { subjects: ['audit.created', 'ops.deployed'] })
    const schema = z.object({ n: z.number() })
    const [created, deployed] = ['audit.created', 'ops.deployed'].map((type) => event(type, { stream: own, schema }))
    const runs = defineService('own', { publishes: [created!, deployed!], handlers: {} })
    // Whichever is there first.
    for (const _ of [1, 2]) {
      await mesh.provision(runs)
      await mesh.publish(deployed!, { n: 1 })
      await operations.letters.discard(letters[0]!.seq, ana)
      await operations.letters.reopen(letters[0]!.seq, ana)
    }
    expect((await operations.audit.list()).unreadable).toBe(0)
    expect((await actsOf(operations)).length).toBe(4)
  })

  it.each(['AUDIT', 'OPERATIONS'])(
    'of an earlier release holds its whole word, and is used as it is: %s',
    async (name) => {
      await using test = await withLetters(1)
      const { mesh, operations, letters } = test
      await operations.letters.discard(letters[0]!.seq, ana)
      const jsm = await jetstreamManager(mesh.nats)
      const wide = { subjects: [mesh.names.subject(name === 'AUDIT' ? 'audit.>' : 'ops.>')] }
      await jsm.streams.update(mesh.names.stream(name), wide)
      await operations.letters.reopen(letters[0]!.seq, ana)
      expect(await actsOf(operations)).toHaveLength(2)
      await operations.letters.refresh()
      expect(operations.letters.list().letters).toMatchObject([{ state: 'open' }])
      expect((await jsm.streams.info(mesh.names.stream(name))).config).toMatchObject(wide)
    },
  )

  it('is read in pages, by who, what and when, without a consumer; an act on the edge of a page has its end', async () => {
    await using test = await withLetters(3)
    const { mesh, operations, letters } = test
    const [first, second, third] = letters
    await operations.letters.discard(first!.seq, ana)
    await operations.letters.discard(second!.seq, { who: 'rui', reason: 'the same' })
    await operations.letters.discard(third!.seq, ana)
    const { audit } = operations
    const jsm = await jetstreamManager(mesh.nats)
    const look = async (): Promise<unknown> => {
      const { config, state } = await jsm.streams.info(auditOf(mesh))
      return { config, state }
    }
    const before = await look()
    const all = (await audit.list()).acts
    expect(all.map(({ target }) => target)).toEqual([third!, second!, first!].map(({ subject }) => subject))

    const page = await audit.list({ limit: 2 })
    expect(page.acts).toEqual(all.slice(0, 2))
    expect(await audit.list({ limit: 2, after: page.next })).toEqual({
      acts: all.slice(2),
      unreadable: 0,
      next: undefined,
    })
    // The end of the first act stands behind this bound.
    const later = await audit.list({ after: all[2]!.seq + 1 })
    expect(later.acts).toEqual(all.slice(2))
    expect(later.acts).toMatchObject([{ outcome: 'done' }])

    expect((await audit.list({ who: 'rui' })).acts).toEqual(all.slice(1, 2))
    expect((await audit.list({ action: 'run.begin' })).acts).toEqual([])
    expect((await audit.list({ until: all[0]!.storedAt })).acts).toEqual(all.slice(1))
    expect((await audit.list({ since: '2999-01-01T00:00:00Z' })).acts).toEqual([])
    expect((await audit.list({ since: '2000-01-01T00:00:00Z' })).acts).toEqual(all)
    await expect(audit.list({ since: 'soon', limit: 0 })).rejects.toThrow(
      /OPERATIONS_INVALID_OPTIONS: limit is 0.*; since is "soon"/,
    )
    expect(await look()).toEqual(before)
    expect(before).toMatchObject({ state: { consumer_count: 0 } })
  })

  it('tells of what others wrote there, and of an act whose end nobody wrote down', async () => {
    await using test = await withLetters(1)
    const {
      mesh,
      operations,
      letters: [letter],
    } = test
    await operations.letters.discard(letter!.seq, ana)
    const jsm = await jetstreamManager(mesh.nats)
    const begun = (await jsm.streams.getMessage(auditOf(mesh), { seq: 1 }))!
    const js = jetstream(mesh.nats)
    await js.publish(
      mesh.names.subject('audit.entry.written.0.another'),
      JSON.stringify({ ...begun.json<object>(), act: 'another' }),
    )
    for (const text of ['{}', 'no json', 'null', '{"v":2}'])
      await js.publish(mesh.names.subject('audit.entry.odd'), text)
    const { acts, unreadable } = await operations.audit.list()
    expect(unreadable).toBe(4)
    expect(acts.map(({ act, outcome }) => [act === 'another', outcome])).toEqual([
      [true, 'begun'],
      [false, 'done'],
    ])
  })
})
