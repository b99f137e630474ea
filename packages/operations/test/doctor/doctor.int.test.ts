import { connectMesh, defineService, event, nanosOf, on, retry, stream, streamState } from '@malha/mesh'
import { eventually, testMesh, testServer } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { examine, openOperations } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', { stream: orders, schema: z.object({ id: z.string() }) })
const shop = defineService('shop', { handlers: { bill: on(placed, { startFrom: 'all' }, () => undefined) } })
const soon = { againAfterMs: 100 }
const slowly = retry({ minDelayMs: 600_000, maxDelayMs: 600_000 })

async function untilSaid(mesh: Parameters<typeof openOperations>[0]): Promise<void> {
  using operations = await openOperations(mesh)
  await eventually(async () => expect(await operations.contracts.services()).not.toHaveLength(0))
}

it('a mesh that is well has nothing to say, and is not changed by the look', async () => {
  await using test = await testMesh()
  await test.mesh.start(shop)
  await untilSaid(test.mesh)
  const looker = await test.connect({ topology: 'none' })
  const jsm = await jetstreamManager(test.nats)
  const seen = async () => {
    const found: unknown[] = []
    for await (const { config, state } of jsm.streams.list()) found.push([config, state.last_seq, state.consumer_count])
    return found
  }
  const before = await seen()
  const { state, findings } = await examine(looker, soon)
  expect(findings.filter((one) => one.state !== 'ok')).toEqual([])
  expect(state).toBe('ok')
  expect(new Set(findings.map(({ check }) => check))).toEqual(
    new Set([
      'servers',
      'account',
      'streams',
      'permissions',
      'clock',
      'consumers',
      'advisories',
      'services',
      'instances',
    ]),
  )
  expect(await seen()).toEqual(before)
})

it('what was changed by hand, what nobody handles, and what is nobody’s is told, each with its fix', async () => {
  await using test = await testMesh()
  const { names } = test.mesh
  {
    // Nobody of the mesh is there any more to mend what follows.
    await using mesh = await connectMesh({ servers: test.url, namespace: test.namespace })
    const running = await mesh.start(shop)
    await untilSaid(mesh)
    await running.stop()
    await mesh.publish(placed, { id: '1' })
    await mesh.publish(placed, { id: '2' }, { deliverIn: 3_600_000 })
  }
  const jsm = await jetstreamManager(test.nats)
  const durable = names.durable('shop', 'bill')
  await jsm.consumers.update(names.stream('ORDERS'), durable, { max_deliver: 3 })
  await jsm.streams.update(names.stream('ORDERS'), { discard: 'old' })
  await jsm.consumers.delete(names.delays(), names.delayDurable('order.placed'))
  const { metadata } = (await jsm.consumers.info(names.stream('ORDERS'), durable)).config
  await jsm.consumers.add(names.stream('ORDERS'), {
    durable_name: names.durable('shop', 'old'),
    ack_policy: 'explicit',
    filter_subject: names.subject('order.old'),
    metadata: { ...metadata, 'malha.handler': 'old' },
  })
  const { state, findings } = await examine(await test.connect({ topology: 'none' }), soon)
  const told = findings.filter((one) => one.state !== 'ok').map(({ check, what }) => `${check}: ${what}`)
  expect(told).toEqual([
    expect.stringMatching(/^streams: discard is old, and must be new/),
    expect.stringMatching(/^consumers: max_deliver is 3/),
    expect.stringMatching(/^consumers: 1 messages wait and no instance of shop pulls/),
    expect.stringMatching(/^services: shop has no handler old; 0 messages wait/),
    expect.stringMatching(/^services: no instance of it pulls/),
    expect.stringMatching(/^delays: 1 of order\.placed wait, and durable \S+, which brings them, is not there/),
  ])
  expect(findings.filter((one) => one.state !== 'ok' && one.fix === null)).toEqual([])
  expect(state).toBe('fail')
})

it('what instances say is told: versions that differ, a breaker that is open, a pause, slots that leaked', async () => {
  await using test = await testMesh()
  await using other = await connectMesh({ servers: test.url, namespace: test.namespace, name: 'newer' })
  const never = Promise.withResolvers<void>()
  const away = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })
  const handlers = {
    bill: on(placed, { startFrom: 'all', retry: slowly }, () => Promise.reject(away)),
    ship: on(placed, { startFrom: 'all', concurrency: 8, timeoutMs: 50 }, () => never.promise),
    count: on(placed, { startFrom: 'all' }, () => undefined),
  }
  const running = await test.mesh.start(defineService('shop', { version: '1.0.0', handlers }))
  await other.start(defineService('shop', { version: '1.1.0', handlers }))
  await untilSaid(test.mesh)
  using operations = await openOperations(test.mesh)
  const place = { service: 'shop', handler: 'count', who: 'ana' }
  await operations.handlers.pause({ ...place, reason: 'the paper is out' })
  for (let n = 0; n < 40; n++) await test.mesh.publish(placed, { id: `${n}` })
  const looker = await test.connect({ topology: 'none' })
  await eventually(
    async () => {
      const { findings, state } = await examine(looker, soon)
      const ofInstances = findings.filter(({ check }) => check === 'instances')
      const told = ofInstances.map((one) => `${one.state} ${one.about}: ${one.what}`)
      expect(told).toContainEqual(
        expect.stringMatching(/^warn shop: its instances are of 2 versions: 1\.0\.0 \(.+\); 1\.1\.0 \(newer\)$/),
      )
      expect(told).toContainEqual(
        expect.stringMatching(/^warn shop\/bill \(newer\): its breaker is (half-)?open since \d{4}-/),
      )
      expect(told).toContainEqual(
        'warn shop/count (newer): it is paused by ana until somebody resumes it: the paper is out',
      )
      expect(told).toContainEqual(
        expect.stringMatching(/^fail shop\/ship \(newer\): \d of its 8 slots are lost to calls that never return$/),
      )
      expect(ofInstances.filter((one) => one.state !== 'ok' && one.fix === null)).toEqual([])
      expect(state).toBe('fail')
    },
    { timeoutMs: 40_000 },
  )
  never.resolve()
  await running.stop()
})

it('messages that the server gave up are named, but for those with a letter', async () => {
  await using test = await testMesh()
  const { names } = test.mesh
  const jsm = await jetstreamManager(test.nats)
  await (await test.mesh.start(shop)).stop()
  for (const id of ['1', '2', '3']) await test.mesh.publish(placed, { id })
  const [stream, durable] = [names.stream('ORDERS'), names.durable('shop', 'bill')]
  await jsm.consumers.update(stream, durable, { max_deliver: 1, ack_wait: 100_000_000 })
  const taken = await jetstream(test.nats).consumers.get(stream, durable)
  for await (const _ of await taken.fetch({ max_messages: 3, expires: 2000 }));
  const { timestamp } = (await jsm.streams.getMessage(stream, { seq: 2 }))!
  const { epoch } = await streamState(test.nats, stream)
  const letter = names.deadLetter(durable, { stream, epoch, seq: 2, storedAt: nanosOf(timestamp) })
  await jetstream(test.nats).publish(letter, 'as if')
  const looker = await test.connect({ topology: 'none' })
  await eventually(async () => {
    const { findings } = await examine(looker, soon)
    expect(findings).toContainEqual(
      expect.objectContaining({
        check: 'consumers',
        state: 'fail',
        what: expect.stringMatching(
          /^of what it delivered and nobody settled 2 have neither a letter nor a place on the lane: sequences 1, 3(; |$)/,
        ),
        fix: expect.stringMatching(/^start shop, or restart its instances/),
      }),
    )
  })
  // What it says to do helps.
  const done: string[] = []
  const mended = defineService('shop', {
    handlers: { bill: on(placed, { startFrom: 'all' }, ({ id }) => void done.push(id)) },
  })
  await test.mesh.start(mended)
  await eventually(() => expect(new Set(done)).toEqual(new Set(['1', '2', '3'])))
  const after = await examine(looker, soon)
  expect(after.findings.filter(({ check, state }) => check === 'consumers' && state !== 'ok')).toEqual([])
})

it('what the server told of messages that it gave up is beside what is found, and what nobody acted upon is said', async () => {
  await using test = await testMesh()
  const { names } = test.mesh
  const jsm = await jetstreamManager(test.nats)
  const [stream, durable] = [names.stream('ORDERS'), names.durable('shop', 'bill')]
  const running = await test.mesh.start(shop)
  const advisories = names.stream('ADVISORIES')
  await eventually(() => jsm.consumers.info(advisories, names.durable('malha', 'advisories')))
  await running.stop()
  for (const id of ['1', '2', '3']) await test.mesh.publish(placed, { id })
  await jsm.consumers.update(stream, durable, { max_deliver: 1 })
  const taken = await jetstream(test.nats).consumers.get(stream, durable)
  for await (const message of await taken.fetch({ max_messages: 3, expires: 2000 })) message.nak()
  // Asked for what is left it finds that there is nothing, and tells.
  for await (const _ of await taken.fetch({ max_messages: 1, expires: 1000 }));
  await jsm.streams.purge(advisories, { seq: 2 })
  const looker = await test.connect({ topology: 'none' })
  await eventually(async () => {
    const { findings } = await examine(looker, soon)
    const told = findings.map(({ state, what }) => `${state} ${what}`)
    expect(told).toContainEqual(
      expect.stringMatching(
        /^fail of what .+ 3 have neither .+: sequences 1, 2, 3; the server told of 2, and 1 advisories are lost, or never were$/,
      ),
    )
    expect(told).toContainEqual(
      'warn 2 of what the server told of messages that it gave up were not acted upon: no process leads',
    )
  })
})

it('settings that somebody changed by hand are told one by one, each with its fix', async () => {
  await using test = await testMesh()
  const { names } = test.mesh
  const full = stream('FULL', { subjects: ['full.>'], maxBytes: 65_536 })
  const filled = event('full.up', { stream: full, schema: z.object({ text: z.string() }) })
  const retired = { ...shop, retired: ['old'] }
  const running = await test.mesh.start(
    defineService('shop', { handlers: retired.handlers, publishes: [filled], retired: ['old'] }),
  )
  await untilSaid(test.mesh)
  await running.stop()
  await test.mesh.publish(filled, { text: 'x'.repeat(60_000) })
  const jsm = await jetstreamManager(test.nats)
  const [orderStream, bill] = [names.stream('ORDERS'), names.durable('shop', 'bill')]
  await test.mesh.publish(placed, { id: '1' })
  const { metadata } = (await jsm.consumers.info(orderStream, bill)).config
  const like = (
    handler: string,
  ): { durable_name: string; filter_subject: string; metadata: Record<string, string> } => ({
    durable_name: names.durable('shop', handler),
    filter_subject: names.subject('order.placed'),
    metadata: { ...metadata, 'malha.handler': handler },
  })
  await jsm.consumers.update(orderStream, bill, { backoff: [1_000_000_000] })
  await jsm.consumers.add(orderStream, { ...like('old'), ack_policy: 'explicit' })
  await jsm.consumers.add(orderStream, { ...like('none'), ack_policy: 'none' })
  await jsm.consumers.add(orderStream, { ...like('push'), ack_policy: 'explicit', deliver_subject: 'nowhere.at.all' })
  await jsm.consumers.add(orderStream, { ...like('held'), ack_policy: 'explicit', max_ack_pending: 1 })
  const held = await jetstream(test.nats).consumers.get(orderStream, names.durable('shop', 'held'))
  await held.next({ expires: 2000 })
  await jsm.consumers.add(orderStream, { ...like('slept'), ack_policy: 'explicit' })
  await jsm.consumers.pause(orderStream, names.durable('shop', 'slept'), new Date(Date.now() + 3_600_000))
  const odd = { name: names.stream('ODD'), subjects: [names.subject('odd.>')] }
  const made = await jsm.streams.add({ ...odd, metadata: { 'malha.kind': 'events', 'malha.format': '9' } })
  await test.nats.request(`$JS.API.STREAM.UPDATE.${odd.name}`, JSON.stringify({ ...made.config, sealed: true }))

  const { findings } = await examine(await test.connect({ topology: 'none' }), soon)
  const told = findings.filter((one) => one.state !== 'ok')
  expect(told.filter(({ fix }) => fix === null)).toEqual([])
  for (const said of [
    /^streams fail it is \d+ % full; a full stream refuses its publishers/,
    /^streams fail it is of format 9, this release knows 1/,
    /^streams fail its metadata say no owner/,
    /^streams fail it is sealed/,
    /^consumers fail it has a backoff of its own/,
    /^consumers fail ack_policy is none/,
    /^consumers fail it pushes, so no handler can pull/,
    /^consumers fail 1 messages are with handlers and not acknowledged, which is as many as it may be/,
    /^consumers warn it is paused on the server/,
    /^services warn handler old of shop is retired/,
  ])
    expect(told.map(({ check, state, what }) => `${check} ${state} ${what}`)).toContainEqual(
      expect.stringMatching(said),
    )
})

it('who may do little is told what he may not look at, and what to allow', async () => {
  await using server = await testServer({ config: RIGHTS })
  await using owner = await connectMesh({ servers: server.url, user: 'owner', password: 'o' })
  await owner.provision(shop)
  await using viewer = await connectMesh({ servers: server.url, user: 'viewer', password: 'v', topology: 'none' })
  const { state, findings } = await examine(viewer, soon)
  expect(state).toBe('warn')
  expect(findings).toContainEqual(
    expect.objectContaining({
      check: 'streams',
      state: 'warn',
      fix: 'allow publish on $JS.API.STREAM.LIST',
    }),
  )
  expect(findings).toContainEqual(
    expect.objectContaining({ check: 'permissions', about: 'user viewer', what: 'may not look at dead letters' }),
  )
})

const RIGHTS = `
authorization {
  users: [
    { user: owner, password: o }
    { user: viewer, password: v, permissions: { publish: { allow: ["$JS.API.INFO", "$SYS.REQ.USER.INFO"] }, subscribe: "_INBOX.>" } }
  ]
}`
