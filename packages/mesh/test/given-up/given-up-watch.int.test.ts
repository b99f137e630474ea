import { eventually, type TestMesh, testMesh, testServer } from '@malha/testing'
import { jetstreamManager, type StreamInfo } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { command, defineService, on, retry, type ServiceDef, stream } from '../../src/index.ts'
import { deliverInVain, pull } from '../consume/deliver-in-vain.ts'
import { leading, watchOf } from './one-watch.ts'
import { take } from './take.ts'

const jobs = stream('JOBS', { subjects: ['job.>'] })
const run = command('job.run', { stream: jobs, schema: z.object({ n: z.number() }) })
/** No look comes while the test lasts. */
const NEVER = 600_000

/** Fails for the second message only, which is a dead letter soon. */
const worker = (done: number[]): ServiceDef =>
  defineService('worker', {
    handlers: {
      work: on(run, { ackWaitMs: 500, retry: retry({ attempts: 1 }) }, ({ n }) => {
        if (n === 2) throw new Error('never')
        done.push(n)
      }),
    },
  })

/** The durable is there, nobody runs, and so many messages wait. */
async function waiting(own: TestMesh, count: number): Promise<string> {
  const service = await own.mesh.start(worker([]))
  await service.stop()
  for (let n = 1; n <= count; n++) await own.mesh.publish(run, { n })
  return own.mesh.names.stream('JOBS')
}

async function limitTo({ mesh, nats }: TestMesh, max_deliver: number): Promise<void> {
  const jsm = await jetstreamManager(nats)
  await jsm.consumers.update(mesh.names.stream('JOBS'), mesh.names.durable('worker', 'work'), { max_deliver })
}

/** What the server says of the durable. */
async function stateOf({
  mesh,
  nats,
}: TestMesh): Promise<{ limit: number | undefined; again: number; left: number; unanswered: number; floor: number }> {
  const jsm = await jetstreamManager(nats)
  const info = await jsm.consumers.info(mesh.names.stream('JOBS'), mesh.names.durable('worker', 'work'))
  const { config, num_redelivered: again, num_pending: left, num_ack_pending: unanswered, ack_floor: floor } = info
  return { limit: config.max_deliver, again, left, unanswered, floor: floor.stream_seq }
}

async function streamOf({ mesh, nats }: TestMesh, name: string): Promise<StreamInfo> {
  return (await jetstreamManager(nats)).streams.info(mesh.names.stream(name))
}

/** The messages done, once each, and how many are letters. */
async function expectEnds(own: TestMesh, done: number[], wanted: { done: number[]; letters: number }): Promise<void> {
  await eventually(() => expect(done.toSorted((a, b) => a - b)).toEqual(wanted.done), { timeoutMs: 20_000 })
  await eventually(async () => {
    expect((await streamOf(own, 'DEAD_LETTERS')).state.messages).toBe(wanted.letters)
    expect(await stateOf(own)).toMatchObject({ limit: -1, again: 0, left: 0 })
  })
  expect(done.toSorted((a, b) => a - b)).toEqual(wanted.done)
}

/** What the server tells of this stream is captured from now on. */
const captured = (own: TestMesh): Promise<void> =>
  eventually(async () => expect((await streamOf(own, 'ADVISORIES')).config.subjects.join()).toContain('_JOBS.*'))

/** How much of what the server told was acted upon. */
async function readUpTo({ mesh, nats }: TestMesh): Promise<number> {
  const jsm = await jetstreamManager(nats)
  const info = await jsm.consumers.info(mesh.names.stream('ADVISORIES'), mesh.names.durable('malha', 'advisories'))
  return info.ack_floor.stream_seq
}

/** Has the server give up all that waits. */
async function strand(own: TestMesh): Promise<void> {
  const name = own.mesh.names.stream('JOBS')
  await deliverInVain(own, name, 3)
  await limitTo(own, 2)
  await pull(own, name)
}

const ONE = { count: 1, ends: { done: [1], letters: 0 } }
const THREE = { count: 3, ends: { done: [1, 3], letters: 1 } }

test.each([ONE, THREE])(
  '$count given up while nobody runs are brought back when the server tells, and each ends once',
  async ({ count, ends }) => {
    await using own = await testMesh()
    await waiting(own, count)
    await using watch = await watchOf(own, { sweepMs: NEVER })
    await captured(own)
    await strand(own)
    await eventually(async () => expect(await stateOf(own)).toMatchObject({ limit: -1, again: 0, left: count }))
    const done: number[] = []
    await own.mesh.start(worker(done))
    await expectEnds(own, done, ends)
    // All that the server told of is read, and the first of it was enough.
    await eventually(async () => expect(await readUpTo(own)).toBe(count))
    expect(watch.broughtBack).toEqual({ advisory: 1, sweep: 0 })
  },
)

test('what was told while nobody ran, and no number says any more, is brought back when somebody runs', async () => {
  await using own = await testMesh()
  await waiting(own, 1)
  const first = await watchOf(own, { sweepMs: NEVER })
  await captured(own)
  await first.stop()
  await strand(own)
  await limitTo(own, -1)
  // The floor is past what was given up, and fewer were delivered again than are unanswered.
  await own.mesh.publish(run, { n: 3 })
  await take(own, 1, true)
  await eventually(async () => expect(await stateOf(own)).toMatchObject({ floor: 2 }))
  for (const n of [4, 5]) await own.mesh.publish(run, { n })
  await take(own, 2, false)
  await eventually(async () => expect(await stateOf(own)).toMatchObject({ again: 1, unanswered: 2, floor: 2 }))
  const done: number[] = []
  await own.mesh.start(worker(done))
  await expectEnds(own, done, { done: [1, 3, 4, 5], letters: 0 })
})

test('where another stream has what the server tells, services start, it is said, and a look finds it', async () => {
  await using server = await testServer()
  await using own = await testMesh({ server })
  const jsm = await jetstreamManager(own.nats)
  await jsm.streams.add({ name: 'THEIRS', subjects: ['$JS.EVENT.ADVISORY.CONSUMER.>'] })
  await waiting(own, 3)
  await strand(own)
  await using watch = await watchOf(own, { sweepMs: 300 })
  await eventually(() => expect(watch.broughtBack).toEqual({ advisory: 0, sweep: 1 }))
  const done: number[] = []
  await own.mesh.start(worker(done))
  await expectEnds(own, done, THREE.ends)
  expect(watch.warnings).toHaveLength(1)
  expect(watch.warnings[0]).toMatch(/is not captured.*overlap with THEIRS; narrow one of them/)
})

test('what was given up and has a limit no more is found by its numbers', async () => {
  await using own = await testMesh()
  await waiting(own, 3)
  await strand(own)
  await limitTo(own, -1)
  await using watch = await watchOf(own, { sweepMs: 300 })
  await eventually(async () => expect(await stateOf(own)).toMatchObject({ limit: -1, again: 0, left: 3 }))
  await eventually(() => expect(watch.broughtBack).toEqual({ advisory: 0, sweep: 1 }))
})

test('a durable on a lane that has a limit is put right though its service runs nowhere', async () => {
  await using own = await testMesh()
  await waiting(own, 1)
  const { names } = own.mesh
  const jsm = await jetstreamManager(own.nats)
  const [lanes, durable] = [names.lanes('worker'), names.durable('worker', 'work')]
  await jsm.consumers.update(lanes, durable, { max_deliver: 2 })
  await using watch = await watchOf(own, { sweepMs: 300 })
  await eventually(async () => expect((await jsm.consumers.info(lanes, durable)).config.max_deliver).toBe(-1))
  await eventually(() => expect(watch.broughtBack.sweep).toBe(1))
})

test('one leads; when it is killed another takes over, and finishes', async () => {
  await using own = await testMesh()
  await waiting(own, 3)
  await using first = await watchOf(own, { sweepMs: NEVER })
  await eventually(() => expect(first.leads).toBe(true))
  await using second = await watchOf(own, { sweepMs: NEVER })
  await captured(own)
  await first.kill()
  await strand(own)
  await eventually(() => expect(second.leads).toBe(true))
  await eventually(async () => expect(await stateOf(own)).toMatchObject({ limit: -1, again: 0, left: 3 }))
  expect(first.broughtBack).toEqual({ advisory: 0, sweep: 0 })
  const done: number[] = []
  await own.mesh.start(worker(done))
  await expectEnds(own, done, THREE.ends)
})

test('two that lead at once, while the handler runs, do no harm', async () => {
  await using own = await testMesh()
  await waiting(own, 3)
  await using first = await leading(own)
  await using second = await leading(own)
  await captured(own)
  await strand(own)
  const done: number[] = []
  await own.mesh.start(worker(done))
  await expectEnds(own, done, THREE.ends)
  await own.mesh.publish(run, { n: 4 })
  await limitTo(own, 1)
  await eventually(async () => expect((await stateOf(own)).limit).toBe(-1))
  await expectEnds(own, done, { done: [1, 3, 4], letters: 1 })
  expect([first.failed, second.failed]).toEqual([undefined, undefined])
})
