import { eventually, type TestMesh, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { command, defineService, on, retry, stream } from '../../src/index.ts'
import { openCheckpoints, readCheckpoint, writeCheckpoint } from '../../src/topology/checkpoint.ts'
import { deliverInVain, pull } from './deliver-in-vain.ts'
import { supervisorOf } from './one-supervisor.ts'

const jobs = stream('JOBS', { subjects: ['job.>'] })
const run = command('job.run', { stream: jobs, schema: z.object({ n: z.number() }) })

async function limitTo({ mesh, nats }: TestMesh, stream: string, max_deliver: number): Promise<void> {
  const jsm = await jetstreamManager(nats)
  await jsm.consumers.update(stream, mesh.names.durable('worker', 'work'), { max_deliver })
}

async function infoOf({ mesh, nats }: TestMesh, stream: string) {
  return (await jetstreamManager(nats)).consumers.info(stream, mesh.names.durable('worker', 'work'))
}

const worker = (done: number[]) => {
  const options = { ackWaitMs: 500, retry: retry({ attempts: 2, minDelayMs: 10 }) }
  return defineService('worker', {
    handlers: {
      work: on(run, options, ({ n }) => {
        done.push(n)
        if (n === 2) throw new Error('never')
      }),
    },
  })
}

test.each([
  ['that is there still', 2],
  ['that was taken away while no process ran', -1],
])('what the server gave up for a max_deliver %s is handled, or one letter', async (_, limit) => {
  await using own = await testMesh()
  const { mesh } = own
  const stream = mesh.names.stream('JOBS')
  const first = await mesh.start(worker([]))
  await first.stop()
  for (let n = 1; n <= 4; n++) await mesh.publish(run, { n })
  await deliverInVain(own, stream, 3)
  await limitTo(own, stream, 2)
  // Nobody gets any of them any more, not after the limit is gone either.
  expect(await pull(own, stream)).toBe(0)
  await limitTo(own, stream, -1)
  expect(await pull(own, stream)).toBe(0)
  await limitTo(own, stream, limit)
  const done: number[] = []
  await mesh.start(worker(done))
  await eventually(() => expect(done.toSorted((a, b) => a - b)).toEqual([1, 2, 2, 3, 4]), { timeoutMs: 20_000 })
  const jsm = await jetstreamManager(own.nats)
  await eventually(async () => {
    const letters = await jsm.streams.info(mesh.names.stream('DEAD_LETTERS'))
    expect(letters.state.messages).toBe(1)
    const { config, num_ack_pending: unanswered, ack_floor: floor } = await infoOf(own, stream)
    expect({ limit: config.max_deliver, unanswered, floor: floor.stream_seq }).toEqual({
      limit: -1,
      unanswered: 0,
      floor: 4,
    })
  })
})

test('the same while the handler runs, and on its lane', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const done: number[] = []
  await mesh.start(worker(done))
  await mesh.publish(run, { n: 1 })
  await eventually(() => expect(done).toEqual([1]))
  const [stream, lanes] = [mesh.names.stream('JOBS'), mesh.names.lanes('worker')]
  for (const one of [stream, lanes]) await limitTo(own, one, 3)
  for (const one of [stream, lanes])
    await eventually(async () => expect((await infoOf(own, one)).config.max_deliver).toBe(-1), { timeoutMs: 20_000 })
  await mesh.publish(run, { n: 3 })
  await eventually(() => expect(done).toEqual([1, 3]))
})

test('whoever looks after a durable that another process set back goes on with its checkpoint', async () => {
  await using own = await testMesh()
  const { names } = own.mesh
  const [stream, durable] = [names.stream('JOBS'), names.durable('worker', 'work')]
  const running = await own.mesh.start(worker([]))
  await own.mesh.publish(run, { n: 1 })
  await eventually(async () => expect((await infoOf(own, stream)).ack_floor.stream_seq).toBe(1))
  await running.stop()
  const told: number[] = []
  const options = {
    stream,
    durable,
    filter: names.subject('job.run'),
    onRepeat: (upTo: number) => void told.push(upTo),
  }
  const supervisor = await supervisorOf(own, options)
  await supervisor.look()
  const checkpoints = await openCheckpoints(own.nats, own.mesh.names)
  const before = (await readCheckpoint(checkpoints, durable))!
  const lastSetBack = { at: '1795341600500000000', from: 1 }
  await writeCheckpoint(checkpoints, durable, { ...before, floor: 0, settled: 0, setBacks: 1, lastSetBack })
  await own.mesh.publish(run, { n: 3 })
  const again = await own.mesh.start(worker([]))
  await eventually(async () => expect((await infoOf(own, stream)).ack_floor.stream_seq).toBe(2))
  await supervisor.look()
  // All that was delivered by now may have been before.
  expect(told).toEqual([2])
  await supervisor.look()
  expect(await readCheckpoint(checkpoints, durable)).toMatchObject({ settled: 2, setBacks: 1, lastSetBack })
  await supervisor.stop()
  await again.stop()
})
