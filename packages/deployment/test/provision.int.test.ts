import { jetstreamManager, type ConsumerConfig, type StreamConfig } from '@nats-io/jetstream'
import { connectMesh, defineService, event, hours, on, stream, topic } from '@malha/mesh'
import { eventually, testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { defineDeployment, generate, provisionDeployment } from '../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'], maxBytes: 1024 ** 2, maxAgeMs: hours(90) })
const Order = z.object({ orderId: z.string() })
const placed = event('order.placed', { stream: orders, schema: Order, key: ({ orderId }) => orderId })
const billed = event('order.billed', { stream: orders, schema: Order })
const nothing = (): void => undefined
const billing = defineService('billing', {
  publishes: [billed],
  handlers: {
    bill: on(placed, { concurrency: 300, startFrom: 'all' }, nothing),
    count: on(topic(orders, 'order.*'), { startFrom: 'all' }, nothing),
    report: on(billed, { startFrom: new Date('2026-01-02T03:04:05Z') }, nothing),
  },
})
const deployment = defineDeployment({
  name: 'shop',
  namespace: 'shop',
  workloads: [
    {
      name: 'billing',
      service: billing,
      kind: 'Deployment',
      ports: { health: 9090 },
      buckets: [{ name: 'BILLS', maxBytes: 1024 ** 2 }],
      uses: { delays: [placed] },
    },
    { name: 'archive', tool: 'archive', kind: 'Deployment', ports: { health: 9090 } },
    { name: 'provision', tool: 'provision', kind: 'Job', ports: {} },
  ],
})

type Spec = Record<string, unknown>

/** What NACK is told, by name. */
async function told(kind: 'streams' | 'consumers'): Promise<Map<string, Spec>> {
  const text = (await generate(deployment)).get(`kubernetes/nack/${kind}.yaml`) ?? ''
  const specs = parseAllDocuments(text).map((one) => (one.toJS() as { spec: Spec }).spec)
  return new Map(
    specs.map((spec) => [
      spec['durableName'] ? `${textOf(spec['streamName'])} ${textOf(spec['durableName'])}` : textOf(spec['name']),
      spec,
    ]),
  )
}

/** Of a field that is text. */
const textOf = (value: unknown): string => {
  expect(value).toBeTypeOf('string')
  return value as string
}

/** The time a text of Go says, as the server has it. */
const nanos = (text: unknown): number =>
  text === undefined ? 0 : Number(/^(\d+)ms$/.exec(textOf(text))?.[1]) * 1_000_000

/** What a stream would be that NACK makes of a spec; what it does not say, as NACK or the server has it. */
const ofStream = (spec: Spec): Partial<StreamConfig> & Spec =>
  ({
    name: spec['name'],
    subjects: spec['subjects'],
    retention: spec['retention'],
    storage: spec['storage'],
    discard: spec['discard'],
    num_replicas: spec['replicas'],
    max_age: nanos(spec['maxAge']),
    duplicate_window: nanos(spec['duplicateWindow']),
    max_bytes: spec['maxBytes'] ?? -1,
    max_msgs: spec['maxMsgs'] ?? -1,
    max_msgs_per_subject: spec['maxMsgsPerSubject'],
    max_msg_size: spec['maxMsgSize'] ?? -1,
    max_consumers: spec['maxConsumers'] ?? -1,
    allow_direct: spec['allowDirect'] ?? false,
    allow_rollup_hdrs: spec['allowRollup'] ?? false,
    allow_msg_ttl: spec['allowMsgTtl'] ?? false,
    allow_atomic: spec['allowAtomicPublish'] ?? false,
    allow_msg_schedules: spec['allowMsgSchedules'] ?? false,
    discard_new_per_subject: spec['discardPerSubject'] ?? false,
    subject_delete_marker_ttl: nanos(spec['subjectDeleteMarkerTtl']),
    deny_delete: spec['denyDelete'] ?? false,
    deny_purge: spec['denyPurge'] ?? false,
  }) as Partial<StreamConfig> & Spec

const ofConsumer = (spec: Spec): Spec => ({
  durable_name: spec['durableName'],
  ack_policy: spec['ackPolicy'],
  ack_wait: nanos(spec['ackWait']),
  deliver_policy: spec['deliverPolicy'] === 'byStartTime' ? 'by_start_time' : spec['deliverPolicy'],
  opt_start_time: spec['optStartTime'] && new Date(textOf(spec['optStartTime'])).toISOString(),
  filter_subject: spec['filterSubject'],
  filter_subjects: spec['filterSubjects'],
  max_ack_pending: spec['maxAckPending'],
  max_deliver: spec['maxDeliver'],
  max_waiting: spec['maxWaiting'],
  replay_policy: spec['replayPolicy'],
})

/** Of what is on the server, the fields that are told, and the metadata that are not the server's own. */
function same(told: Spec, real: Spec, spec: Spec): void {
  const some = Object.fromEntries(
    Object.keys(told).map((key) => [key, real[key] ?? (told[key] === false ? false : told[key] === 0 ? 0 : undefined)]),
  )
  if (some['opt_start_time'] !== undefined)
    some['opt_start_time'] = new Date(textOf(some['opt_start_time'])).toISOString()
  expect(some).toEqual(told)
  const own = Object.entries((real['metadata'] ?? {}) as Spec).filter(([key]) => !key.startsWith('_nats.'))
  expect(Object.fromEntries(own)).toEqual(spec['metadata'] ?? {})
}

test('what NACK is told is what the mesh makes itself, field by field', async () => {
  await using server = await testServer()
  await using mesh = await connectMesh({ servers: server.url })
  await provisionDeployment(mesh, deployment)
  const specs = { streams: await told('streams'), consumers: await told('consumers') }
  const jsm = await jetstreamManager(mesh.nats)
  const streams = await Array.fromAsync(jsm.streams.list())
  expect(streams.map(({ config }) => config.name).toSorted()).toEqual([...specs.streams.keys()].toSorted())
  const consumers: { stream: string; config: ConsumerConfig }[] = []
  for (const { config } of streams) {
    const spec = specs.streams.get(config.name)!
    same(ofStream(spec), { ...config }, spec)
    for await (const info of jsm.consumers.list(config.name))
      consumers.push({ stream: config.name, config: info.config })
  }
  expect(consumers.map(({ stream, config }) => `${stream} ${config.durable_name}`).toSorted()).toEqual(
    [...specs.consumers.keys()].toSorted(),
  )
  for (const { stream, config } of consumers) {
    const spec = specs.consumers.get(`${stream} ${config.durable_name}`)!
    same(ofConsumer(spec), { ...config }, spec)
  }
})

test('after provisioning a service runs that may make nothing, and a second one changes nothing', async () => {
  await using server = await testServer()
  await using deployer = await connectMesh({ servers: server.url })
  const first = await provisionDeployment(deployer, deployment)
  expect(first.streams.find(({ name }) => name === 'KV_BILLS')).toEqual({ name: 'KV_BILLS', action: 'created' })
  expect(first.durables.every(({ action }) => action === 'created')).toBe(true)
  await using mesh = await connectMesh({ servers: server.url, topology: 'verify' })
  await using running = await mesh.start(billing)
  expect(running.faults()).toEqual([])
  await mesh.bucket('BILLS')
  const again = await provisionDeployment(deployer, deployment)
  expect([...again.streams, ...again.durables].filter(({ action }) => action !== 'unchanged')).toEqual([])
})

test('events for later wait and come where a service may make nothing, once it is said that it delays them', async () => {
  await using server = await testServer()
  await using deployer = await connectMesh({ servers: server.url })
  const { durables } = await provisionDeployment(deployer, deployment)
  expect(durables).toContainEqual({ stream: 'DELAYS', name: 'delay_order_placed', action: 'created' })
  await using mesh = await connectMesh({ servers: server.url, topology: 'verify' })
  await using _running = await mesh.start(billing)
  const { waitsUntil } = await mesh.publish(placed, { orderId: 'later' }, { deliverIn: 100 })
  expect(waitsUntil).toBeInstanceOf(Date)
  const jsm = await jetstreamManager(deployer.nats)
  await eventually(async () =>
    expect(await jsm.streams.getMessage('ORDERS', { last_by_subj: 'order.placed.*.later' })).toBeTruthy(),
  )
  await expect(mesh.publish(billed, { orderId: 'unsaid' }, { deliverIn: 100 })).rejects.toThrow(
    /MESH_TOPOLOGY: durable delay_order_billed on DELAYS: it does not exist.*uses\.delays.*malha provision/,
  )
})

test('provisioning that only compares says all that is missing, and makes none of it', async () => {
  await using server = await testServer()
  await using mesh = await connectMesh({ servers: server.url, topology: 'verify' })
  await expect(provisionDeployment(mesh, deployment)).rejects.toThrow(/stream ORDERS: it does not exist.*\n.*stream/s)
  const jsm = await jetstreamManager(mesh.nats)
  expect(await Array.fromAsync(jsm.streams.list())).toEqual([])
})

test('a bucket is provisioned as the mesh would have made it', async () => {
  await using server = await testServer()
  await using provisioned = await connectMesh({ servers: server.url })
  await using other = await connectMesh({ servers: server.url, namespace: 'other' })
  await provisionDeployment(provisioned, deployment)
  await other.bucket('BILLS', { maxBytes: 1024 ** 2 })
  const jsm = await jetstreamManager(other.nats)
  const configOf = async (bucket: string): Promise<Spec> => {
    const {
      name: _,
      subjects: _subjects,
      metadata: _metadata,
      ...config
    } = (await jsm.streams.info(`KV_${bucket}`)).config
    return config
  }
  expect(await configOf('BILLS')).toEqual(await configOf('other_BILLS'))
})
