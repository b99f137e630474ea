import { connectMesh, meshOptions } from '@malha/mesh'
import { eventually, testMesh, testServer } from '@malha/testing'
import { jetstream, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream'
import { headers as natsHeaders } from '@nats-io/nats-core'
import { describe, expect, it } from 'vitest'
import { type Console, startConsole } from '../src/index.ts'
import { ask } from './asking.ts'
import { placed, shop, withDeadOrders } from './shop.ts'

type Listed = {
  letters: { seq: number; recordSeq: number; key: string; group: string }[]
  total: number
  next: number | null
}

const lettersOf = async (console: Console, query = ''): Promise<Listed> =>
  (await ask(console, `/letters${query}`)).body as unknown as Listed

describe('the API of the console', () => {
  it('lists letters in pages and groups, and shows one whole with what was done with it', async () => {
    await using test = await testMesh()
    await using console = await startConsole({ mesh: test.mesh, port: 0, role: 'operator', who: 'on-call' })
    expect(await ask(console, '/letters')).toMatchObject({ status: 404, body: { code: 'OPERATIONS_NO_LETTERS' } })
    await withDeadOrders(test.mesh, ['city 1 is unknown', 'no room', 'city 2 is unknown'])
    const { body } = await ask(console, '/letters?state=open&limit=2')
    expect(body).toMatchObject({
      total: 3,
      counts: { open: 3, discarded: 0 },
      asOf: { state: 'current' },
      groups: [{ letters: 2, service: 'shop', handler: 'bill' }, { letters: 1 }],
    })
    const page = body as unknown as Listed
    expect((await lettersOf(console, `?after=${page.next}`)).letters.map(({ key }) => key)).toEqual(['o-1'])
    expect(await ask(console, '/letters?limit=0&since=yesterday')).toMatchObject({
      status: 422,
      body: { code: 'CONSOLE_BAD_REQUEST', faults: [{ field: 'since' }, { field: 'limit' }] },
    })

    const [{ seq, recordSeq }] = page.letters as [Listed['letters'][0]]
    const decided = await ask(console, `/letters/${seq}/discard`, { body: { reason: 'closed', seen: recordSeq } })
    expect(decided).toMatchObject({ status: 200, body: { state: 'discarded' } })
    const whole = await ask(console, `/letters/${seq}`)
    expect(whole.body).toMatchObject({
      seq,
      state: 'discarded',
      payload: { form: 'json', text: expect.stringContaining('"why": "city 2 is unknown"') },
      stack: expect.stringContaining('shop.ts'),
      history: [{ kind: 'discarded', who: 'on-call', reason: 'closed' }],
    })
    // A page that was opened before: what it would decide on is not so any more.
    const stale = await ask(console, `/letters/${seq}/discard`, { body: { reason: 'closed', seen: recordSeq } })
    expect(stale).toMatchObject({ status: 409, body: { code: 'OPERATIONS_LETTER_MOVED', fix: expect.any(String) } })
    await ask(console, `/letters/${seq}/reopen`, { body: { reason: 'not closed' } })
    const reopened = await ask(console, `/letters/${seq}/discard`, { body: { reason: 'closed', seen: recordSeq } })
    expect(reopened).toMatchObject({ status: 409, body: { code: 'OPERATIONS_LETTER_MOVED' } })
    expect(await ask(console, '/letters/99')).toMatchObject({ status: 410, body: { code: 'OPERATIONS_LETTER_GONE' } })
  })

  it('sends what a plan showed again, works on it, and a run is paused, resumed and cancelled', async () => {
    await using test = await testMesh()
    await withDeadOrders(
      test.mesh,
      Array.from({ length: 30 }, (_, n) => `city ${n} is unknown`),
    )
    const billed: string[] = []
    const running = await test.mesh.start(shop({ isMended: true, onBilled: (n) => billed.push(n) }))
    await using console = await startConsole({ mesh: test.mesh, port: 0, role: 'operator', who: 'on-call' })
    const filter = { service: 'shop' }
    const plan = await ask(console, '/runs/plan', { body: filter })
    expect(plan.body).toMatchObject({ total: 30, handlers: [{ service: 'shop', handler: 'bill', letters: 30 }] })
    expect(billed).toEqual([])

    const limits = { perSecond: 20 }
    const begun = await ask(console, '/runs', {
      body: { filter, limits, upTo: plan.body['upTo'], reason: 'known now' },
    })
    expect(begun).toMatchObject({
      status: 201,
      body: { who: 'on-call', reason: 'known now', worksHere: true, total: 30 },
    })
    const id = begun.body['id'] as string
    const turn = async (what: string): Promise<unknown> =>
      (await ask(console, `/runs/${id}/${what}`, { method: 'POST' })).body
    await eventually(async () => expect(billed.length).toBeGreaterThan(0))
    expect(await turn('pause')).toMatchObject({ state: 'paused' })
    expect(await turn('resume')).toMatchObject({ state: 'running' })
    await eventually(async () => expect(billed.length).toBeGreaterThan(5))
    expect(await turn('cancel')).toMatchObject({ state: 'cancelled' })
    expect(await turn('pause')).toMatchObject({ code: 'OPERATIONS_RUN_OVER' })
    await eventually(async () => expect((await ask(console, `/runs/${id}`)).body).toMatchObject({ worksHere: false }))

    const left = await ask(console, '/runs/plan', { body: filter })
    const rest = await ask(console, '/runs', { body: { filter, upTo: left.body['upTo'], limits: { perSecond: 1000 } } })
    await eventually(async () =>
      expect((await ask(console, `/runs/${rest.body['id'] as string}`)).body).toMatchObject({ state: 'done' }),
    )
    expect(billed.length).toBe(30)
    expect(new Set(billed).size).toBe(30)
    expect(await ask(console, '/runs', { body: { filter } })).toMatchObject({
      status: 409,
      body: { code: 'OPERATIONS_NOTHING_TO_SEND' },
    })
    await running.stop()
  })

  it('counts what a replay would send, sends just that, and says every fault of what was asked at once', async () => {
    await using test = await testMesh()
    await withDeadOrders(test.mesh, ['no room', 'no room', 'no room'])
    const billed: string[] = []
    const running = await test.mesh.start(shop({ isMended: true, onBilled: (n) => billed.push(n) }))
    await using console = await startConsole({ mesh: test.mesh, port: 0, role: 'operator', who: 'on-call' })
    const asked = { service: 'shop', handler: 'bill', fromSeq: 2 }
    const plan = await ask(console, '/replays/plan', { body: asked })
    expect(plan).toMatchObject({
      status: 200,
      body: { total: 2, upTo: 3, shadow: false, samples: [{ seq: 2 }, { seq: 3 }] },
    })
    await test.mesh.publish(placed, { n: 'o-4', why: 'later' })
    await eventually(() => expect(billed).toEqual(['o-4']))
    const { status, body } = await ask(console, '/replays', {
      body: { ...asked, upTo: plan.body['upTo'], reason: 'bills were lost', limits: { perSecond: 500 } },
    })
    expect({ status, body }).toMatchObject({
      status: 201,
      body: { kind: 'replay', who: 'on-call', reason: 'bills were lost', total: 2, upTo: 3, worksHere: true },
    })
    await eventually(async () =>
      expect((await ask(console, `/runs/${body['id'] as string}`)).body).toMatchObject({ state: 'done' }),
    )
    expect(billed.toSorted()).toEqual(['o-2', 'o-3', 'o-4'])
    expect(
      await ask(console, '/replays/plan', { body: { service: 'shop', fromSeq: 0, since: 'today' } }),
    ).toMatchObject({
      status: 422,
      body: { code: 'CONSOLE_BAD_REQUEST', faults: [{ field: 'handler' }, { field: 'fromSeq' }, { field: 'since' }] },
    })
    expect(await ask(console, '/replays/plan', { body: { ...asked, stream: 'OTHERS' } })).toMatchObject({
      status: 409,
      body: { code: 'OPERATIONS_HANDLER_UNFIT' },
    })
    await running.stop()
  })

  it('corrects what a letter sends, as it was seen, and keeps its numbers as they were written', async () => {
    await using test = await testMesh()
    await withDeadOrders(test.mesh, ['no room'])
    const running = await test.mesh.start(shop())
    await using console = await startConsole({ mesh: test.mesh, port: 0, role: 'operator', who: 'on-call' })
    const before = await ask(console, '/letters/1/correction')
    const original = '{\n  "n": "o-1",\n  "why": "no room"\n}'
    expect(before).toMatchObject({ status: 200, body: { original, current: original, state: 'open', recordSeq: 0 } })
    const body = { payload: '{"n":"o-1","why":"room"}', seen: 0, reason: 'there is room' }
    expect(await ask(console, '/letters/1/correction/check', { body: { payload: '{"n":1}' } })).toMatchObject({
      status: 422,
      body: { code: 'OPERATIONS_EDIT_REFUSED', faults: [{ field: '/why' }, { field: '/n' }] },
    })
    const changes = [{ op: 'replace', path: '/why', value: '"room"' }]
    expect(await ask(console, '/letters/1/correction', { body })).toMatchObject({
      status: 200,
      body: { changes, isCut: false, checkedBy: 'order.placed/1', letter: { state: 'open' } },
    })
    expect((await ask(console, '/letters/1')).body).toMatchObject({
      history: [{ kind: 'edited', who: 'on-call', reason: 'there is room', changes }],
    })
    expect((await ask(console, '/letters/1/correction')).body).toMatchObject({
      original,
      current: expect.stringContaining('"why": "room"'),
    })
    // Of a page that was opened before.
    const stale = await ask(console, '/letters/1/correction', {
      body: { ...body, payload: '{"n":"o-1","why":"mine"}' },
    })
    expect(stale).toMatchObject({ status: 409, body: { code: 'OPERATIONS_LETTER_MOVED' } })
    const large = { ...body, seen: undefined, payload: '{"n":"o-1","why":"x","big":9007199254740993}' }
    expect(await ask(console, '/letters/1/correction', { body: large })).toMatchObject({
      status: 422,
      body: { code: 'OPERATIONS_EDIT_REFUSED', detail: expect.stringContaining('9007199254740993') },
    })
    await running.stop()
  })

  it('a run goes on where it was when the console that worked on it is gone', async () => {
    await using test = await testMesh()
    await withDeadOrders(
      test.mesh,
      Array.from({ length: 20 }, () => 'no room'),
    )
    const billed: string[] = []
    const running = await test.mesh.start(shop({ isMended: true, onBilled: (n) => billed.push(n) }))
    let id: string
    {
      await using first = await startConsole({ mesh: test.mesh, port: 0, role: 'operator' })
      const begun = await ask(first, '/runs', { body: { filter: { service: 'shop' }, limits: { perSecond: 10 } } })
      id = begun.body['id'] as string
      await eventually(async () => expect(billed.length).toBeGreaterThan(0))
    }
    await using second = await startConsole({ mesh: test.mesh, port: 0, role: 'operator' })
    expect((await ask(second, `/runs/${id}`)).body).toMatchObject({ state: 'running', worksHere: false })
    await ask(second, `/runs/${id}/work`, { method: 'POST' })
    await eventually(async () => expect((await ask(second, `/runs/${id}`)).body).toMatchObject({ state: 'done' }), {
      timeoutMs: 20_000,
    })
    expect(billed.toSorted()).toEqual([...new Set(billed)].toSorted())
    expect(billed).toHaveLength(20)
    await running.stop()
  })

  it('a letter of nearly a megabyte is shown by its beginning and downloaded whole; bytes are a dump', async () => {
    await using test = await testMesh()
    const long = 'x'.repeat(900_000)
    await withDeadOrders(test.mesh, [long])
    const running = await test.mesh.start(shop())
    const bytes = new Uint8Array([0, 1, 2, 255, 254, 60, 98, 62])
    const head = natsHeaders()
    const attributes = { 'ce-specversion': '1.0', 'ce-id': 'b-1', 'ce-type': placed.type, 'ce-source': '/test' }
    for (const [name, value] of Object.entries(attributes)) head.set(name, value)
    await jetstream(test.mesh.nats).publish(test.mesh.names.subject('order.placed.0.b'), bytes, { headers: head })
    await using console = await startConsole({ mesh: test.mesh, port: 0 })
    await eventually(async () => expect(await lettersOf(console)).toMatchObject({ total: 2 }))
    const shown = await ask(console, '/letters/1')
    expect(shown.body).toMatchObject({ payload: { form: 'json', isCut: true } })
    expect(JSON.stringify(shown.body).length).toBeLessThan(150_000)
    const whole = await fetch(`${console.url}/api/letters/1/payload`)
    expect(whole.headers.get('content-disposition')).toContain('attachment')
    expect(await whole.json()).toEqual({ n: 'o-1', why: long })
    expect((await ask(console, '/letters/2')).body).toMatchObject({
      payload: { form: 'binary', bytes: 8, text: expect.stringContaining('00 01 02 ff fe 3c 62 3e') },
    })
    await running.stop()
  })

  it('says that NATS is away, and what it knew before, and goes on when it is back', async () => {
    await using server = await testServer()
    await using mesh = await connectMesh({ ...meshOptions({ NATS_URL: server.url }) })
    await withDeadOrders(mesh, ['no room'])
    await using console = await startConsole({ mesh, port: 0 })
    expect(await lettersOf(console)).toMatchObject({ total: 1 })
    await server.stop()
    await eventually(
      async () => expect((await ask(console, '/letters')).body).toMatchObject({ total: 1, asOf: { state: 'behind' } }),
      { timeoutMs: 20_000 },
    )
    expect(await ask(console, '/letters/1')).toMatchObject({ status: 503, body: { code: 'CONSOLE_MESH_AWAY' } })
    await server.start()
    await eventually(
      async () => expect((await ask(console, '/letters')).body).toMatchObject({ asOf: { state: 'current' } }),
      { timeoutMs: 20_000 },
    )
  })
})

describe('looking', () => {
  it('changes nothing on the server: no config, state, consumer or floor, before, during and after', async () => {
    await using test = await testMesh()
    await withDeadOrders(test.mesh, ['city 1 is unknown', 'no room'])
    const running = await test.mesh.start(shop({ isMended: true }))
    {
      await using operating = await startConsole({ mesh: test.mesh, port: 0, role: 'operator' })
      const { body } = await ask(operating, '/runs', { body: { filter: { key: 'o-1' } } })
      await eventually(async () =>
        expect((await ask(operating, `/runs/${body['id'] as string}`)).body).toMatchObject({ state: 'done' }),
      )
    }
    await running.stop()
    await using console = await startConsole({ mesh: test.mesh, port: 0 })
    const jsm = await jetstreamManager(test.mesh.nats)
    const before = await everythingOf(jsm)
    const seen: string[] = []
    const browsing = new AbortController()
    const watching = (async () => {
      while (!browsing.signal.aborted) seen.push(await everythingOf(jsm))
    })()
    const live = new AbortController()
    const news = await fetch(`${console.url}/api/live?watch=handlers`, { signal: live.signal })
    const heard = news.body!.getReader()
    for (let round = 0; round < 3; round++)
      for (const path of [
        '/letters',
        '/letters?state=open',
        '/letters/1',
        '/letters/1/payload',
        '/runs',
        '/topology',
        '/handlers',
        '/handlers/shop/bill',
        '/limits',
        '/doctor',
        '/audit',
        '/journey?of=o-1',
        '/session',
      ])
        expect((await ask(console, path)).status).toBe(200)
    await ask(console, '/runs/plan', { body: { service: 'shop' } })
    const counted = await ask(console, '/replays/plan', { body: { service: 'shop', handler: 'bill' } })
    expect(counted).toMatchObject({ status: 200, body: { total: 2 } })
    await heard.read()
    live.abort()
    browsing.abort()
    await watching
    expect(seen.length).toBeGreaterThan(2)
    expect(seen.filter((each) => each !== before)).toEqual([])
    expect(await everythingOf(jsm)).toBe(before)
  })
})

/** Config and state of every stream, and every consumer with its floors. */
async function everythingOf(jsm: JetStreamManager): Promise<string> {
  const all: unknown[] = []
  for await (const { config, state } of jsm.streams.list()) {
    const consumers: unknown[] = []
    for await (const { name, config: own, delivered, ack_floor, num_pending, num_waiting } of jsm.consumers.list(
      config.name,
    ))
      consumers.push({ name, own, delivered, ack_floor, num_pending, num_waiting })
    all.push({ config, state, consumers })
  }
  return JSON.stringify(all)
}
