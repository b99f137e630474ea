import { defineService, derivedId, event, on, stream } from '@malha/mesh'
import { eventually, testMesh, testServer } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers as natsHeaders } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { orders, reportDue, storedIn, timedOut } from './fixture.ts'

const publisher = defineService('orders', { handlers: {}, publishes: [timedOut, reportDue] })

// Each has a server of its own, and waits for most of the time.
test.concurrent('what waits survives a SIGKILL of the broker, also what became due while it was down', async () => {
  await using server = await testServer()
  await using env = await testMesh({ server })
  const { mesh } = env
  await mesh.start(publisher)
  const count = 600
  const startedAt = Date.now()
  const ids = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const deliverAt = new Date(startedAt + 1500 + index * 10)
      return (await mesh.publish(timedOut, { orderId: `o-${index}` }, { deliverAt })).id
    }),
  )
  const name = mesh.names.stream(orders)
  await eventually(async () => expect((await storedIn(env.nats, name)).length).toBeGreaterThan(50))
  await server.kill()
  await eventually(() => expect(Date.now()).toBeGreaterThan(startedAt + 5000))
  await server.start()
  await eventually(async () => expect(new Set((await storedIn(env.nats, name)).map(({ id }) => id)).size).toBe(count))
  const stored = await storedIn(env.nats, name)
  expect(stored.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
  expect(stored.filter(({ storedMs, dueMs }) => storedMs < dueMs)).toEqual([])
  await eventually(async () =>
    expect((await (await jetstreamManager(env.nats)).streams.info(mesh.names.delays())).state.messages).toBe(0),
  )
})

test.concurrent('what is to come in ten years waits, over a restart of the broker too', async () => {
  await using server = await testServer()
  await using env = await testMesh({ server })
  const { mesh } = env
  await mesh.start(publisher)
  const inTenYears = new Date(Date.now() + 10 * 365 * 86_400_000)
  const { id } = await mesh.publish(timedOut, { orderId: 'far' }, { deliverAt: inTenYears, delayKey: 'far' })
  await server.restart()
  await eventually(() => mesh.publish(timedOut, { orderId: 'near' }, { deliverIn: 500, id: 'near' }))
  await eventually(async () =>
    expect(await storedIn(env.nats, mesh.names.stream(orders))).toMatchObject([{ id: 'near' }]),
  )
  expect(await mesh.delayed()).toMatchObject([{ kind: 'once', id, until: inTenYears, delayKey: 'far' }])
  expect(await mesh.cancelDelayed(timedOut, 'far')).toBe(true)
  expect(await mesh.delayed()).toEqual([])
})

test.concurrent('a recurring event goes on after a SIGKILL of the broker', async () => {
  await using server = await testServer()
  await using env = await testMesh({ server })
  const { mesh } = env
  await mesh.start(publisher)
  await mesh.schedule(reportDue, { of: 'x' }, { name: 'x', everyMs: 1000 })
  const name = mesh.names.stream(orders)
  await eventually(async () => expect((await storedIn(env.nats, name)).length).toBeGreaterThan(0))
  await server.kill()
  const killedAt = Date.now()
  await eventually(() => expect(Date.now()).toBeGreaterThan(killedAt + 2500))
  await server.start()
  const before = await eventually(async () => (await storedIn(env.nats, name)).length)
  await eventually(async () => expect((await storedIn(env.nats, name)).length).toBeGreaterThan(before + 2))
  const dues = (await storedIn(env.nats, name)).map(({ dueMs }) => dueMs)
  expect(new Set(dues).size).toBe(dues.length)
})

test('what became due while nobody of the mesh was there comes with whoever starts next', async () => {
  await using env = await testMesh()
  const first = await env.connect()
  await first.provision(publisher)
  const { id } = await first.publish(timedOut, { orderId: 'o' }, { deliverIn: 500 })
  await first.close()
  const jsm = await jetstreamManager(env.nats)
  const due = env.mesh.names.delayDue(timedOut.type)
  await eventually(async () =>
    expect(await jsm.streams.getMessage(env.mesh.names.delays(), { last_by_subj: due })).toBeTruthy(),
  )
  // It neither handles nor publishes that type.
  await env.mesh.start(defineService('other', { handlers: {}, publishes: [] }))
  await eventually(async () => expect(await storedIn(env.nats, env.mesh.names.stream(orders))).toMatchObject([{ id }]))
})

test('one a forwarder stored before it died is not stored again, even after the stream forgot its id', async () => {
  await using env = await testMesh()
  const brief = stream('BRIEF', { subjects: ['brief.>'], duplicateWindowMs: 100 })
  const said = event('brief.said', { stream: brief, schema: z.object({ n: z.number() }) })
  const first = await env.connect()
  await first.provision(defineService('brief', { handlers: {}, publishes: [said] }))
  const { id } = await first.publish(said, { n: 1 }, { deliverIn: 300 })
  await first.close()
  const { names } = env.mesh
  const js = jetstream(env.nats)
  const consumer = await js.consumers.get(names.delays(), names.delayDurable(said.type))
  const due = await eventually(async () => {
    const message = await consumer.next({ expires: 1000 })
    expect(message).not.toBeNull()
    return message!
  })
  const headers = natsHeaders()
  for (const [name, values] of due.headers!) if (/^(ce-|content|malha-due)/.test(name)) headers.set(name, values[0]!)
  await js.publish(names.subject(said.type), due.data, { headers, msgID: id })
  const name = names.stream(brief)
  const jsm = await jetstreamManager(env.nats)
  // The window is over when the same id is stored a second time.
  await eventually(async () => (await js.publish(names.subject('brief.probe'), '', { msgID: 'probe' })).seq > 2)
  due.nak()
  await env.mesh.start(defineService('brief', { handlers: {}, publishes: [said] }))
  await eventually(async () => expect((await jsm.streams.info(names.delays())).state.messages).toBe(0))
  expect((await storedIn(env.nats, name)).filter((one) => one.id === id)).toHaveLength(1)
})

test('a handler that runs again neither adds a second delayed output nor moves the first', async () => {
  await using env = await testMesh()
  const { mesh } = env
  let runs = 0
  const service = defineService('orders', {
    publishes: [timedOut],
    handlers: {
      plan: on(reportDue, { startFrom: 'all' }, ({ of }, ctx) => {
        runs++
        ctx.publish(timedOut, { orderId: of }, { deliverIn: 2000, delayKey: of })
        ctx.publish(timedOut, { orderId: `${of}-own` }, { deliverIn: 2000 })
      }),
    },
  })
  await mesh.provision(service)
  const parts = { from: 'p1', service: 'orders', handler: 'plan', type: timedOut.type, index: 0 }
  const earlier = [
    await mesh.publish(
      timedOut,
      { orderId: 'a' },
      { id: derivedId({ ...parts, key: 'a' }), deliverIn: 1500, delayKey: 'a' },
    ),
    await mesh.publish(timedOut, { orderId: 'a-own' }, { id: derivedId({ ...parts, key: 'a-own' }), deliverIn: 1500 }),
  ]
  await mesh.start(service)
  await mesh.publish(reportDue, { of: 'a' }, { id: 'p1' })
  await eventually(() => expect(runs).toBe(1))
  const name = mesh.names.stream(orders)
  await eventually(async () => expect(await mesh.delayed(timedOut)).toEqual([]))
  await mesh.publish(timedOut, { orderId: 'end' }, { deliverIn: 1500, id: 'end' })
  await eventually(async () => expect((await storedIn(env.nats, name)).at(-1)!.id).toBe('end'))
  const came = (await storedIn(env.nats, name)).filter(({ type, id }) => type === timedOut.type && id !== 'end')
  expect(came.map(({ id, dueMs }) => ({ id, dueMs })).toSorted((a, b) => a.id.localeCompare(b.id))).toEqual(
    earlier
      .map(({ id, waitsUntil }) => ({ id, dueMs: waitsUntil!.getTime() }))
      .toSorted((a, b) => a.id.localeCompare(b.id)),
  )
})

test('who may delay one type cannot bring forth another: it becomes a dead letter', async () => {
  await using env = await testMesh()
  const { mesh } = env
  await mesh.start(publisher)
  const { names } = mesh
  await mesh.publish(timedOut, { orderId: 'o' }, { deliverIn: 500, id: 'honest' })
  await mesh.publish(reportDue, { of: 'x' }, { deliverIn: 500, id: 'too' })
  const forged = natsHeaders()
  const lines: [string, string][] = [
    ['Nats-Schedule', `@at ${new Date().toISOString()}`],
    ['Nats-Schedule-Target', names.delayDue(timedOut.type)],
    ['ce-specversion', '1.0'],
    ['ce-id', 'forged'],
    ['ce-type', timedOut.type],
    ['ce-source', '/mallory'],
    ['malha-delay-format', '1'],
    ['malha-delay-subject', `${timedOut.type}.0.o`],
    ['malha-delay-stream', 'ORDERS'],
  ]
  for (const [name, value] of lines) forged.set(name, value)
  const js = jetstream(env.nats)
  await js.publish(names.delayWaiting(reportDue.type, '_id', 'forged'), '{}', { headers: forged })
  // The server takes away what has its own spelling only.
  forged.set('nats-scheduler', names.delayWaiting(timedOut.type, '_id', 'forged'))
  await js.publish(names.delayWaiting(reportDue.type, '_id', 'forged-2'), '{}', { headers: forged })
  const jsm = await jetstreamManager(env.nats)
  await eventually(async () => expect((await jsm.streams.info(names.stream('DEAD_LETTERS'))).state.messages).toBe(2))
  await eventually(async () => expect((await jsm.streams.info(names.delays())).state.messages).toBe(0))
  const ids = (await storedIn(env.nats, names.stream(orders))).map(({ id }) => id)
  expect(ids.toSorted()).toEqual(['honest', 'too'])
})

test('a stream without room is tried until it has some', async () => {
  await using env = await testMesh()
  const { mesh } = env
  const small = stream('SMALL', { subjects: ['small.>'], maxBytes: 64 * 1024 })
  const filler = event('small.filler', { stream: small, schema: z.object({ text: z.string() }) })
  await mesh.start(defineService('small', { handlers: {}, publishes: [filler] }))
  const text = 'x'.repeat(20_000)
  for (let index = 0; index < 3; index++) await mesh.publish(filler, { text }, { id: `f${index}` })
  const { id } = await mesh.publish(filler, { text }, { deliverIn: 300 })
  const jsm = await jetstreamManager(env.nats)
  const durable = mesh.names.delayDurable(filler.type)
  await eventually(async () =>
    expect((await jsm.consumers.info(mesh.names.delays(), durable)).num_redelivered).toBeGreaterThan(0),
  )
  await jsm.streams.purge(mesh.names.stream(small))
  await eventually(async () => expect(await storedIn(env.nats, mesh.names.stream(small))).toMatchObject([{ id }]))
})

test('with effects once a delayed output is kept beside the batch, and comes once', async () => {
  await using env = await testMesh()
  const { mesh } = env
  let runs = 0
  await mesh.start(
    defineService('orders', {
      publishes: [timedOut],
      handlers: {
        plan: on(reportDue, { startFrom: 'all', effects: 'once' }, ({ of }, ctx) => {
          runs++
          ctx.publish(timedOut, { orderId: `${of}-now` })
          ctx.publish(timedOut, { orderId: `${of}-later` }, { deliverIn: 500 })
        }),
      },
    }),
  )
  await mesh.publish(reportDue, { of: 'a' }, { id: 'p1' })
  const name = mesh.names.stream(orders)
  const outputs = async (): Promise<string[]> =>
    (await storedIn(env.nats, name)).filter(({ type }) => type === timedOut.type).map(({ subject }) => subject)
  await eventually(async () => expect(await outputs()).toHaveLength(2))
  expect((await outputs()).map((subject) => subject.split('.').at(-1))).toEqual(['a-now', 'a-later'])
  expect(runs).toBe(1)
})
