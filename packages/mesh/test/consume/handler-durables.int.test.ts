import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  command,
  defineService,
  event,
  type HandlerDef,
  type Logger,
  on,
  retry,
  seconds,
  type ServiceDef,
  stream,
  topic,
} from '../../src/index.ts'

const schema = z.object({ n: z.number() })
const jobs = stream('JOBS', { subjects: ['job.>'], maxBytes: 16 * 1024 ** 2 })
const run = command('job.run', { stream: jobs, schema, priorities: true })

test('what ages out unseen is one loss of the handler, not one of each of its durables', async () => {
  const lost: object[] = []
  const ignore = (): void => undefined
  const error = (fields: object): void => void ('to' in fields && lost.push(fields))
  const log: Logger = { debug: ignore, info: ignore, warn: ignore, error }
  await using own = await testMesh({ logger: log })
  const { mesh } = own
  const brief = stream('BRIEF', { subjects: ['brief.>'], maxAgeMs: seconds(4), maxBytes: 2 ** 20 })
  const act = command('brief.act', { stream: brief, schema, priorities: true })
  const done: number[] = []
  const work = on(act, { retry: retry({ attempts: 1, minDelayMs: 10, maxDelayMs: 20 }) }, ({ n }) => void done.push(n))
  const service = defineService('worker', { handlers: { work } })
  const first = await mesh.start(service)
  await mesh.publish(act, { n: 0 })
  await eventually(() => expect(done).toEqual([0]))
  await first.stop()
  for (const n of [1, 2, 3]) await mesh.publish(act, { n })
  const jsm = await jetstreamManager(mesh.nats)
  const left = async (): Promise<number> => (await jsm.streams.info(mesh.names.stream('BRIEF'))).state.messages
  await eventually(async () => expect(await left()).toBe(0))
  await mesh.start(service)
  await mesh.publish(act, { n: 4 })
  await eventually(() => expect(done).toEqual([0, 4]))
  expect(lost).toMatchObject([{ from: 2, to: 4 }])
  const stored = await jsm.streams.info(mesh.names.stream('DEAD_LETTERS'))
  expect(stored.state.messages).toBe(1)
})

test('a handler whose command is given priorities later misses none of them, wherever it began itself', async () => {
  await using own = await testMesh()
  const { mesh } = own
  await mesh.provision(defineService('feeder', { handlers: {}, publishes: [run] }))
  const plain = command('job.run', { stream: jobs, schema })
  await mesh.publish(plain, { n: 0 })
  const done: number[] = []
  const handle = ({ n }: { n: number }): void => void done.push(n)
  const before = await mesh.start(
    defineService('worker', { handlers: { work: on(plain, { startFrom: 'new' }, handle) } }),
  )
  await mesh.publish(plain, { n: 1 })
  await eventually(() => expect(done).toEqual([1]))
  await before.stop()
  for (const priority of ['high', 'normal', 'low'] as const) await mesh.publish(run, { n: 2 }, { priority })
  const service = defineService('worker', { handlers: { work: on(run, { startFrom: 'new' }, handle) } })
  const after = await mesh.start(service)
  await eventually(() => expect(done).toEqual([1, 2, 2, 2]))
  await after.stop()
  // And again, when its durables are lost.
  const jsm = await jetstreamManager(mesh.nats)
  const durables = ['', '_high', '_low'].map((part) => `${mesh.names.durable('worker', 'work')}${part}`)
  for (const durable of durables) await jsm.consumers.delete(mesh.names.stream('JOBS'), durable)
  for (const priority of ['high', 'normal', 'low'] as const) await mesh.publish(run, { n: 3 }, { priority })
  await mesh.start(service)
  await eventually(() => expect(done).toEqual([1, 2, 2, 2, 3, 3, 3]))
})

test('a new handler begins where it says, for each priority', async () => {
  await using own = await testMesh()
  const { mesh } = own
  await mesh.provision(defineService('feeder', { handlers: {}, publishes: [run] }))
  for (const priority of ['high', 'normal', 'low'] as const) await mesh.publish(run, { n: 1 }, { priority })
  const done: number[] = []
  const handle = ({ n }: { n: number }): void => void done.push(n)
  const silent = defineService('worker', { handlers: { work: on(run, handle) } })
  await expect(mesh.start(silent)).rejects.toThrow(/say where to begin with startFrom/)
  await mesh.start(defineService('worker', { handlers: { work: on(run, { startFrom: 'new' }, handle) } }))
  for (const priority of ['high', 'normal', 'low'] as const) await mesh.publish(run, { n: 2 }, { priority })
  await eventually(() => expect(done).toEqual([2, 2, 2]))
})

test('a handler whose command is given a key later misses none of its messages and repeats none', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const plain = command('job.run', { stream: jobs, schema })
  const keyed = command('job.run', { stream: jobs, schema, key: ({ n }) => `k-${n}` })
  const done: number[] = []
  const release = (contract: typeof plain): ServiceDef =>
    defineService('worker', { handlers: { work: on(contract, { startFrom: 'new' }, ({ n }) => void done.push(n)) } })
  const before = await mesh.start(release(plain))
  // The newer release of the publisher is there before that of the handler.
  await mesh.publish(plain, { n: 1 })
  await mesh.publish(keyed, { n: 2 })
  await mesh.publish(plain, { n: 3 })
  await eventually(() => expect(done).toEqual([1, 3]))
  await before.stop()
  const after = await mesh.start(release(keyed))
  await mesh.publish(plain, { n: 4 })
  await mesh.publish(keyed, { n: 5 })
  await eventually(() => expect(done.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]))
  expect(after.report.handlers[0]?.durables).toEqual(
    ['', '_keyed'].map((part) => mesh.names.durable('worker', 'work') + part),
  )
})

test('a handler that took a whole topic and then one contract goes on where it was', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const keyed = command('job.run', { stream: jobs, schema, key: ({ n }) => `k-${n}` })
  const done: unknown[] = []
  const note = (data: unknown): void => void done.push((data as { n: number }).n)
  const before = await mesh.start(
    defineService('worker', { handlers: { work: on(topic(jobs, 'job.*'), { startFrom: 'all' }, note) } }),
  )
  for (const n of [1, 2]) await mesh.publish(keyed, { n })
  await eventually(() => expect(done).toEqual([1, 2]))
  await before.stop()
  await mesh.publish(keyed, { n: 3 })
  await mesh.start(defineService('worker', { handlers: { work: on(keyed, note) } }))
  await eventually(() => expect(done).toEqual([1, 2, 3]))
})

test('a topic of everything takes all subjects of its stream with one filter, and no markers', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const both = stream('BOTH', { subjects: ['job.>', 'result.>'] })
  const run = command('job.run', { stream: both, schema, key: ({ n }) => `k-${n}` })
  const made = event('result.made', { stream: both, schema })
  const seen: string[] = []
  const worker = defineService('worker', {
    handlers: { work: on(run, { effects: 'once' }, (data, ctx) => ctx.publish(made, data)) },
    publishes: [made],
  })
  const watcher = defineService('watcher', {
    handlers: { all: on(topic(both, '>'), { startFrom: 'all' }, (_, { type }) => void seen.push(type)) },
  })
  await mesh.start(worker)
  await mesh.publish(run, { n: 1 })
  const jsm = await jetstreamManager(own.nats)
  const counts = async () => (await jsm.streams.info(mesh.names.stream(both), { subjects_filter: '>' })).state.subjects
  await eventually(async () => expect(Object.keys((await counts()) ?? {}).join()).toContain('_done.'))
  const { report } = await mesh.start(watcher)
  await eventually(async () => {
    const { ack_floor, num_pending } = await jsm.consumers.info(
      mesh.names.stream(both),
      report.handlers[0]!.durables[0]!,
    )
    expect([ack_floor.stream_seq, num_pending]).toEqual([3, 0])
  })
  expect(seen.toSorted()).toEqual(['job.run', 'result.made'])
})

test('a handler that takes a whole topic after one contract with a key is refused, since it would handle events again', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const keyed = command('job.run', { stream: jobs, schema, key: ({ n }) => `k-${n}` })
  const done: unknown[] = []
  const note = (data: unknown): void => void done.push((data as { n: number }).n)
  const release = (handlers: Record<string, HandlerDef>, retired: string[] = []): ServiceDef =>
    defineService('worker', { handlers, retired })
  const before = await mesh.start(release({ work: on(keyed, note) }))
  for (const n of [1, 2, 3]) await mesh.publish(keyed, { n })
  await eventually(() => expect(done).toEqual([1, 2, 3]))
  await before.stop()
  const all = on(topic(jobs, 'job.*'), { startFrom: 'new' }, note)
  await expect(mesh.start(release({ work: all }))).rejects.toThrow("list this one in retired: ['work']")
  const after = await mesh.start(release({ workAll: all }, ['work']))
  await mesh.publish(keyed, { n: 4 })
  await eventually(() => expect(done).toEqual([1, 2, 3, 4]))
  await after.stop()
  await mesh.start(release({ workAll: all }, ['work']))
  await mesh.publish(keyed, { n: 5 })
  await eventually(() => expect(done).toEqual([1, 2, 3, 4, 5]))
})

test('a release that may not start beside another one leaves nothing behind', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const keyed = command('job.run', { stream: jobs, schema, key: ({ n }) => `k-${n}` })
  const done: unknown[] = []
  const note = (data: unknown): void => void done.push((data as { n: number }).n)
  const all = defineService('worker', {
    handlers: { work: on(topic(jobs, 'job.*'), { startFrom: 'all' }, note) },
  })
  const one = defineService('worker', { handlers: { work: on(keyed, note) } })
  const running = await mesh.start(all)
  const other = await own.connect()
  await expect(other.start(one)).rejects.toThrow('a release that runs now takes')
  await mesh.publish(keyed, { n: 1 })
  await eventually(() => expect(done).toEqual([1]))
  await running.stop()
  const again = await mesh.start(all)
  await again.stop()
  await other.start(one)
  await mesh.publish(keyed, { n: 2 })
  await eventually(() => expect(done).toEqual([1, 2]))
})

test('where a durable took the plain and the keyed form of a priority, the one for the keyed form goes on behind it', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const urgent = command('job.run', { stream: jobs, schema, key: ({ n }) => `k-${n}`, priorities: true })
  const done: number[] = []
  const service = defineService('worker', { handlers: { work: on(urgent, ({ n }) => void done.push(n)) } })
  await mesh.provision(service)
  const priorities = ['high', 'normal', 'low'] as const
  for (const priority of priorities) await mesh.publish(urgent, { n: 1 }, { priority })
  const jsm = await jetstreamManager(mesh.nats)
  const jobsHere = mesh.names.stream('JOBS')
  for (const [part, type] of [
    [undefined, 'job.run'],
    ['high', 'job.run._high'],
    ['low', 'job.run._low'],
  ] as const) {
    const durable_name = mesh.names.durable('worker', 'work', part)
    const filter_subjects = [type, `${type}.*.*`].map((subject) => mesh.names.subject(subject))
    await jsm.consumers.add(jobsHere, { durable_name, filter_subjects, ack_policy: AckPolicy.Explicit })
    const message = await (await jetstream(mesh.nats).consumers.get(jobsHere, durable_name)).next()
    await message?.ackAck()
  }
  for (const priority of priorities) await mesh.publish(urgent, { n: 2 }, { priority })
  await mesh.start(service)
  await eventually(() => expect(done).toHaveLength(3))
  await mesh.publish(urgent, { n: 3 })
  await eventually(() => expect(done).toContain(3))
  expect(done).toEqual([2, 2, 2, 3])
})

test('where one durable took all forms of a topic with a name at its end, the one for what lies below goes on behind it', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const done = command('job.a.done', { stream: jobs, schema, key: ({ n }) => `k-${n}` })
  const seen: unknown[] = []
  const note = (data: unknown): void => void seen.push((data as { n: number }).n)
  const service = defineService('worker', {
    handlers: { work: on(topic(jobs, 'job.*.done'), note) },
    publishes: [done],
  })
  await mesh.provision(service)
  await mesh.publish(done, { n: 1 })
  const jsm = await jetstreamManager(mesh.nats)
  const place = [mesh.names.stream('JOBS'), mesh.names.durable('worker', 'work')] as const
  await jsm.consumers.add(place[0], {
    durable_name: place[1],
    filter_subjects: ['job.*.done', 'job.*.done.*.*'].map((subject) => mesh.names.subject(subject)),
    ack_policy: AckPolicy.Explicit,
    metadata: { 'malha.service': 'worker', 'malha.handler': 'work', 'malha.type': 'job.*.done' },
  })
  const message = await (await jetstream(mesh.nats).consumers.get(...place)).next()
  await message?.ackAck()
  await mesh.publish(done, { n: 2 })
  await mesh.start(service)
  await mesh.publish(done, { n: 3 })
  await eventually(() => expect(seen).toContain(3))
  expect(seen).toEqual([2, 3])
})

test.each(['verify', 'none'] as const)(
  'with topology %s all durables that are missing are told at once',
  async (topology) => {
    await using own = await testMesh()
    const keyed = command('job.run', { stream: jobs, schema, key: ({ n }) => `k-${n}` })
    const service = defineService('worker', { handlers: { work: on(keyed, () => undefined) } })
    await own.mesh.provision(service)
    const mesh = await own.connect({ topology })
    const error = await mesh.start(service).catch((thrown: unknown) => String(thrown))
    for (const part of [undefined, 'keyed'])
      expect(error).toContain(
        `durable ${mesh.names.durable('worker', 'work', part)} on stream ${mesh.names.stream('JOBS')}:`,
      )
    expect(error).toContain(`on stream ${mesh.names.lanes('worker')}`)
  },
)
