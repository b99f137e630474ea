import { eventually, testMesh } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { LetterOffice } from '../../src/failure/dead-letter.ts'
import { command, defineService, on, stream } from '../../src/index.ts'
import { supervisorOf } from './one-supervisor.ts'

const jobs = stream('JOBS', { subjects: ['job.>'], maxBytes: 16 * 1024 ** 2 })
const run = command('job.run', { stream: jobs, schema: z.object({ n: z.number() }) })

test('what aged out is told, though its letter could not be stored at first and the floor has jumped over it since', async () => {
  await using own = await testMesh()
  const { mesh, nats } = own
  const done: number[] = []
  const service = defineService('worker', { handlers: { work: on(run, ({ n }) => void done.push(n)) } })
  const running = await mesh.start(service)
  for (const n of [1, 2, 3]) await mesh.publish(run, { n })
  await eventually(() => expect(done).toEqual([1, 2, 3]))
  await running.stop()
  for (const n of [4, 5, 6, 7, 8]) await mesh.publish(run, { n })
  const [name, durable] = [mesh.names.stream('JOBS'), mesh.names.durable('worker', 'work')]
  const jsm = await jetstreamManager(nats)
  await jsm.streams.purge(name, { seq: 7 })

  const letters: string[] = []
  let isFull = true
  const pipeline = {
    publish({ subject }: { subject: string }) {
      if (isFull) return Promise.reject(new Error('the stream takes no more'))
      letters.push(subject)
      return Promise.resolve({})
    },
  }
  const office = { nc: nats, pipeline, names: mesh.names, service: 'worker', handler: 'work', serviceVersion: '1' }
  const supervisor = await supervisorOf(own, {
    stream: name,
    durable,
    filter: mesh.names.subject('job.run'),
    settled: 3,
    office: office as unknown as LetterOffice,
  })
  await supervisor.look()
  // Another instance handles the next one: the floor moves past what is gone.
  const next = await (await jetstream(nats).consumers.get(name, durable)).next({ expires: 5000 })
  await next!.ackAck()
  expect((await jsm.consumers.info(name, durable)).ack_floor.stream_seq).toBe(7)
  isFull = false
  await supervisor.look()
  await supervisor.stop()
  expect(letters).toEqual([expect.stringMatching(/\.4-6/)])
})
