import { connectMesh, defineService, type Mesh, noMetrics, silentLogger } from '@malha/mesh'
import { eventually, testMesh, testServer } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers as natsHeaders } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { orders, reportDue, storedIn, timedOut } from './fixture.ts'

const publisher = defineService('orders', { handlers: {}, publishes: [timedOut, reportDue] })
const bystander = defineService('other', { handlers: {}, publishes: [] })

/** Delays one event from a process that then goes. Its id. */
async function delayAndGo(connect: () => Promise<Mesh>, deliverIn: number): Promise<string> {
  const mesh = await connect()
  await mesh.provision(publisher)
  const { id } = await mesh.publish(timedOut, { orderId: 'o' }, { deliverIn })
  await mesh.close()
  return id
}

test('a durable that is deleted is made again by whoever forwards, also where it delayed nothing itself', async () => {
  await using env = await testMesh()
  const { names } = env.mesh
  const jsm = await jetstreamManager(env.nats)
  const id = await delayAndGo(() => env.connect(), 2000)
  await env.mesh.start(bystander)
  const durable = names.delayDurable(timedOut.type)
  await eventually(async () => expect((await jsm.consumers.info(names.delays(), durable)).num_waiting).toBe(1))
  await jsm.consumers.delete(names.delays(), durable)
  await eventually(async () => expect(await storedIn(env.nats, names.stream(orders))).toMatchObject([{ id }]))
})

test('what is due and has no durable any more comes with whoever starts next', async () => {
  await using env = await testMesh()
  const { names } = env.mesh
  const jsm = await jetstreamManager(env.nats)
  const id = await delayAndGo(() => env.connect(), 200)
  await jsm.consumers.delete(names.delays(), names.delayDurable(timedOut.type))
  const due = names.delayDue(timedOut.type)
  await eventually(async () => expect(await jsm.streams.getMessage(names.delays(), { last_by_subj: due })).toBeTruthy())
  await env.mesh.start(bystander)
  await eventually(async () => expect(await storedIn(env.nats, names.stream(orders))).toMatchObject([{ id }]))
})

test('what this release cannot read waits for a newer one, and somebody is told', async () => {
  const failures: object[] = []
  const counter: typeof noMetrics.counter = ({ name }) => ({
    add: (labels) => void (name === 'mesh_delay_failures_total' && failures.push(labels)),
  })
  const said: string[] = []
  const logger = { ...silentLogger, error: (_: object, message: string) => void said.push(message) }
  await using env = await testMesh({ metrics: { ...noMetrics, counter }, logger })
  const { mesh } = env
  await mesh.start(publisher)
  const { names } = mesh
  await mesh.publish(timedOut, { orderId: 'o' }, { deliverIn: 60_000 })
  const headers = natsHeaders()
  const lines: [string, string][] = [
    ['Nats-Schedule', `@at ${new Date().toISOString()}`],
    ['Nats-Schedule-Target', names.delayDue(timedOut.type)],
    ['malha-delay-format', '2'],
    ['ce-id', 'newer'],
    ['ce-type', timedOut.type],
  ]
  for (const [name, value] of lines) headers.set(name, value)
  await jetstream(env.nats).publish(names.delayWaiting(timedOut.type, '_id', 'newer'), '{}', { headers })
  await eventually(() =>
    expect(failures).toContainEqual({ messaging_destination_template: timedOut.type, code: 'MESH_NEWER_VERSION' }),
  )
  expect(said).toContainEqual(expect.stringContaining('cannot be brought to its stream'))
  const jsm = await jetstreamManager(env.nats)
  expect((await jsm.streams.info(names.stream('DEAD_LETTERS'))).state.messages).toBe(0)
  expect(await storedIn(env.nats, names.stream(orders))).toEqual([])
})

test('an event that says it goes to a subject no server takes becomes a dead letter, and costs nobody the connection', async () => {
  await using env = await testMesh()
  const { mesh } = env
  await mesh.start(publisher)
  const { names } = mesh
  let lost = 0
  void (async () => {
    for await (const { type } of mesh.nats.status()) if (type === 'disconnect') lost++
  })()
  await mesh.publish(timedOut, { orderId: 'o' }, { deliverIn: 60_000 })
  const headers = natsHeaders()
  const lines: [string, string][] = [
    ['Nats-Schedule', `@at ${new Date().toISOString()}`],
    ['Nats-Schedule-Target', names.delayDue(timedOut.type)],
    ['malha-delay-format', '1'],
    ['malha-delay-subject', `${timedOut.type}.0.${'k'.repeat(5000)}`],
    ['malha-delay-stream', 'ORDERS'],
    ['ce-id', 'long'],
    ['ce-type', timedOut.type],
  ]
  for (const [name, value] of lines) headers.set(name, value)
  await jetstream(env.nats).publish(names.delayWaiting(timedOut.type, '_id', 'long'), '{}', { headers })
  const jsm = await jetstreamManager(env.nats)
  await eventually(async () => expect((await jsm.streams.info(names.stream('DEAD_LETTERS'))).state.messages).toBe(1))
  expect(lost).toBe(0)
})

const config = `authorization { users: [
  { user: all, password: p }
  { user: narrow, password: p, permissions: {
    subscribe: { allow: ["_INBOX.>"] }
    publish: { allow: ["$JS.API.>", "$JS.ACK.>", "dlq.>"] } } }
] }`

test('who may pull what is due, but not publish it, leaves it to others', async () => {
  await using server = await testServer({ config })
  const warned: string[] = []
  const logger = { ...silentLogger, warn: (_: object, message: string) => void warned.push(message) }
  const servers = server.url
  await using all = await connectMesh({ servers, user: 'all', password: 'p' })
  await all.provision(publisher)
  await using narrow = await connectMesh({ servers, user: 'narrow', password: 'p', logger })
  await all.publish(timedOut, { orderId: 'o' }, { deliverIn: 3_600_000 })
  await narrow.start(bystander)
  const jsm = await jetstreamManager(all.nats)
  const pulling = async (): Promise<number> =>
    (await jsm.consumers.info(all.names.delays(), all.names.delayDurable(timedOut.type))).num_waiting
  await eventually(async () => expect(await pulling()).toBe(2))
  const count = 200
  await Promise.all(
    Array.from({ length: count }, (_, n) => all.publish(timedOut, { orderId: `o-${n}` }, { deliverIn: 500 })),
  )
  await eventually(async () => expect(await storedIn(all.nats, orders.name)).toHaveLength(count))
  expect((await jsm.streams.info(all.names.stream('DEAD_LETTERS'))).state.messages).toBe(0)
  expect(warned).toEqual([expect.stringContaining('left to others')])
  await eventually(async () => expect(await pulling()).toBe(1))
})

test('while the broker is away, delaying an event goes on for as long as it was given, and then says what every publish says', async () => {
  await using server = await testServer()
  await using env = await testMesh({ server })
  const { mesh } = env
  await mesh.start(publisher)
  const later = { deliverIn: 60_000, delayKey: 'k' }
  await mesh.publish(timedOut, { orderId: 'o' }, { deliverIn: 60_000 })
  await server.kill()
  const away = { code: 'MESH_PUBLISH_TIMEOUT' }
  const startedAt = performance.now()
  await expect(mesh.publish(timedOut, { orderId: 'o' }, { ...later, timeoutMs: 400 })).rejects.toMatchObject(away)
  expect(performance.now() - startedAt).toBeLessThan(4000)
  const patient = mesh.publish(timedOut, { orderId: 'o' }, { ...later, timeoutMs: 30_000 })
  const cancelled = mesh.cancelDelayed(reportDue, 'nothing')
  await server.start()
  expect(await patient).toMatchObject({ duplicate: false })
  expect(await cancelled).toBe(false)
})
