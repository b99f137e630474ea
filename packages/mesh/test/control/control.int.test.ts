import { eventually, testMesh, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  askStatus,
  connectMesh,
  defineService,
  event,
  type HandlerControl,
  type Logger,
  type Mesh,
  type MeshOptions,
  on,
  provisionControls,
  readControls,
  type ServiceDef,
  stream,
} from '../../src/index.ts'

const jobs = stream('JOBS', { subjects: ['job.>'], maxBytes: 16 * 1024 ** 2 })
const queued = event('job.queued', { stream: jobs, schema: z.object({ n: z.number() }) })

function worker(done: number[]): ServiceDef {
  return defineService('worker', {
    handlers: { work: on(queued, { startFrom: 'all' }, ({ n }) => void done.push(n)) },
  })
}

const at = '2026-11-21T10:00:00.000Z'
const pauseOf = (until: string | null): HandlerControl => ({
  v: 1,
  paused: { until, who: 'ana', reason: 'a test', at },
  changed: { who: 'ana', reason: 'a test', at },
})

/** As a program without our code would: a value of the bucket, then the message that has instances look. */
async function say(mesh: Mesh, value: unknown): Promise<void> {
  await provisionControls({ nats: mesh.nats, names: mesh.names })
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  await mesh.nats.request(mesh.names.handlerControl('worker', 'work'), text)
  mesh.nats.publish(mesh.names.control('worker'))
}

const pausedOf = async (mesh: Mesh): Promise<unknown> =>
  (await askStatus({ nats: mesh.nats, names: mesh.names }, ['worker'])).map(({ handlers }) => handlers[0]!.paused?.who)

test('a value that is written as the wire says pauses the handler, and its removal lets it go on', async () => {
  await using own = await testMesh()
  const done: number[] = []
  await own.mesh.start(worker(done))
  await say(own.mesh, pauseOf(null))
  await eventually(async () => expect(await pausedOf(own.mesh)).toEqual(['ana']))
  await own.mesh.publish(queued, { n: 1 })
  await say(own.mesh, '')
  await eventually(() => expect(done).toEqual([1]))
  expect(await readControls({ nc: own.mesh.nats, names: own.mesh.names })).toMatchObject([
    { service: 'worker', handler: 'work', control: undefined },
  ])
})

test('events may be called control and status, as services are told and asked', async () => {
  await using own = await testMesh()
  const words = stream('WORDS', { subjects: ['control.>', 'status.>'], maxBytes: 16 * 1024 ** 2 })
  const schema = z.object({ n: z.number() })
  const events = ['control.worker', 'status.worker'].map((type) => event(type, { stream: words, schema }))
  const done: number[] = []
  const handlers = events.map((one, index) => [
    `h${index}`,
    on(one, { startFrom: 'all' }, ({ n }) => void done.push(n)),
  ])
  await own.mesh.start(defineService('worker', { handlers: Object.fromEntries(handlers) as ServiceDef['handlers'] }))
  await Promise.all(events.map((one, n) => own.mesh.publish(one, { n })))
  await eventually(() => expect(new Set(done)).toEqual(new Set([0, 1])))
  expect(await askStatus({ nats: own.mesh.nats, names: own.mesh.names }, ['worker'])).toHaveLength(1)
  own.mesh.nats.publish(own.mesh.names.control('worker'))
  const { state } = await (await jetstreamManager(own.mesh.nats)).streams.info(own.mesh.names.stream(words))
  expect(state.messages).toBe(2)
})

test('a value that cannot be read leaves the handler as it was, and is told', async () => {
  await using own = await testMesh()
  await own.mesh.start(worker([]))
  await say(own.mesh, pauseOf(null))
  await eventually(async () => expect(await pausedOf(own.mesh)).toEqual(['ana']))
  for (const junk of ['{', '[]', { ...pauseOf(null), v: 2, paused: null }, { v: 1, paused: { until: 'soon' } }]) {
    await say(own.mesh, junk)
    await eventually(async () => {
      const [instance] = await askStatus({ nats: own.mesh.nats, names: own.mesh.names }, ['worker'])
      expect(instance!.handlers[0]).toMatchObject({
        paused: { who: 'ana' },
        fault: expect.stringMatching(/cannot be read/),
      })
    })
  }
  await say(own.mesh, { ...pauseOf(null), paused: null })
  await eventually(async () => expect(await pausedOf(own.mesh)).toEqual([undefined]))
})

test('a pause ends by the server’s clock, whatever this process’s says', async () => {
  await using own = await testMesh()
  const done: number[] = []
  await own.mesh.start(worker(done))
  const now = Date.now
  try {
    // A year ahead: by this clock every pause would be over.
    Date.now = () => now() + 365 * 86_400_000
    await say(own.mesh, pauseOf(new Date(now() + 60_000).toISOString()))
    await eventually(async () => expect(await pausedOf(own.mesh)).toEqual(['ana']))
  } finally {
    Date.now = now
  }
})

test('to know who is paused costs a start one request more, and one for each of its handlers of which something is said', async () => {
  await using own = await testMesh()
  const asked = async (subject: string): Promise<number> => {
    await using mesh = await own.connect()
    let count = 0
    const request = mesh.nats.request.bind(mesh.nats)
    mesh.nats.request = (to, ...rest) => {
      if (to.includes(subject)) count++
      return request(to, ...rest)
    }
    await mesh.start(worker([]))
    return count
  }
  expect(await asked(`KV_${own.mesh.names.bucket('HANDLERS')}`)).toBe(1)
  await say(own.mesh, pauseOf(null))
  expect(await asked(`KV_${own.mesh.names.bucket('HANDLERS')}`)).toBe(2)
})

test('without the rights for it a service works, cannot be paused, and says so', async () => {
  const denied = ['$JS.API.STREAM.MSG.GET.KV_HANDLERS']
  await using server = await testServer({
    config: `authorization { users: [
      { user: all, password: pw },
      { user: worker, password: pw, permissions: {
        publish: { deny: ${JSON.stringify(denied)} }, subscribe: { deny: ["_malha.control.>", "_malha.status.>"] } } } ] }`,
  })
  const warned: string[] = []
  const warn = (_: object, message: string): void => void warned.push(message)
  const logger: Logger = { debug() {}, info() {}, warn, error() {} }
  const user = (name: string): MeshOptions => ({ servers: server.url, name, user: name, password: 'pw' })
  await using all = await connectMesh(user('all'))
  await using mesh = await connectMesh({ ...user('worker'), logger })
  const done: number[] = []
  await say(all, pauseOf(null))
  await mesh.start(worker(done))
  await mesh.publish(queued, { n: 1 })
  await eventually(() => expect(done).toEqual([1]))
  expect(mesh.health()).toEqual({ ready: true, reasons: [] })
  for (const subject of [...denied, '_malha.control.worker', '_malha.status.worker'])
    expect(warned.filter((line) => line.includes(`may not use ${subject}`))).toHaveLength(1)
})

test('a bucket that does not answer at a start keeps handlers from starting, not the service', async () => {
  await using own = await testMesh()
  await say(own.mesh, pauseOf(null))
  await using mesh = await own.connect()
  const request = mesh.nats.request.bind(mesh.nats)
  let isAway = true
  mesh.nats.request = (to, ...rest) =>
    isAway && to.includes('HANDLERS') ? Promise.reject(new Error('nobody answers')) : request(to, ...rest)
  const done: number[] = []
  await mesh.start(worker(done))
  await mesh.publish(queued, { n: 1 })
  expect(mesh.health().reasons).toEqual([expect.stringMatching(/which handlers are paused: nobody answers/)])
  isAway = false
  await eventually(async () => expect(await pausedOf(mesh)).toEqual(['ana']))
  expect(mesh.health()).toEqual({ ready: true, reasons: [] })
  expect(done).toEqual([])
})
