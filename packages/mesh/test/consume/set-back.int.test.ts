import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { jetstreamManager } from '@nats-io/jetstream'
import { eventually, testMesh, type TestMesh, testServer, type TestServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { command, defineService, type Logger, on, retry, type ServiceDef, stream } from '../../src/index.ts'
import { supervisorOf } from './one-supervisor.ts'
import { answering } from './ordered/one-partition.ts'

const jobs = stream('JOBS', { subjects: ['job.>'], maxBytes: 16 * 1024 ** 2 })
const run = command('job.run', { stream: jobs, schema: z.object({ n: z.number() }) })

function worker(): { service: ServiceDef; done: number[] } {
  const done: number[] = []
  return { done, service: defineService('worker', { handlers: { work: on(run, ({ n }) => void done.push(n)) } }) }
}

async function publish({ mesh }: TestMesh, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await eventually(() => mesh.publish(run, { n }))
}

/** Puts the durable where a loss of power may leave one of three servers: past the end of its stream. */
async function standAt({ mesh, nats }: TestMesh, seq: number): Promise<void> {
  const subject = `$JS.API.CONSUMER.RESET.${mesh.names.stream('JOBS')}.${mesh.names.durable('worker', 'work')}`
  const answer = await eventually(() => nats.request(subject, JSON.stringify({ seq: seq + 1 })))
  expect(answer.json()).toMatchObject({ reset_seq: seq + 1 })
}

/** What the stream has now is all it has when the server is back. */
async function forgetting(
  server: TestServer,
  stream: string,
): Promise<{ remember(): Promise<void>; forget(): Promise<void> }> {
  const { config } = (await (await fetch(`${server.monitorUrl}/jsz`)).json()) as { config: { store_dir: string } }
  const folder = join(config.store_dir, '$G', 'streams', stream, 'msgs')
  const between = async (work: () => Promise<void>): Promise<void> => {
    await server.stop()
    await work()
    await server.start()
  }
  return {
    remember: () => between(() => cp(folder, `${folder}.old`, { recursive: true })),
    forget: () =>
      between(async () => {
        await rm(folder, { recursive: true })
        await cp(`${folder}.old`, folder, { recursive: true })
      }),
  }
}

test.concurrent('a durable past the end of its stream is set back while its handler runs, and new events are handled', async () => {
  await using own = await testMesh()
  const { service, done } = worker()
  await own.mesh.start(service)
  await publish(own, 1, 3)
  await eventually(() => expect(done).toEqual([1, 2, 3]))
  await standAt(own, 99)
  await publish(own, 4, 5)
  await eventually(() => expect(done).toEqual([1, 2, 3, 4, 5]), { timeoutMs: 30_000 })
})

test.concurrent('events that took the place of a lost end are handled, though the stream has outgrown the durable again', async () => {
  await using server = await testServer()
  await using own = await testMesh({ server })
  const { service, done } = worker()
  const first = await own.mesh.start(service)
  const disk = await forgetting(server, own.mesh.names.stream('JOBS'))
  await publish(own, 1, 2)
  await eventually(() => expect(done).toEqual([1, 2]))
  await disk.remember()
  await publish(own, 3, 5)
  await eventually(() => expect(done).toEqual([1, 2, 3, 4, 5]))
  await first.stop()
  await disk.forget()
  await standAt(own, 5)
  await publish(own, 13, 16)
  const again = worker()
  await own.mesh.start(again.service)
  await eventually(() => expect(again.done).toEqual([13, 14, 15, 16]), { timeoutMs: 30_000 })
})

test.concurrent('a durable that may not be set back is made again where its stream ends', async () => {
  await using own = await testMesh()
  const { mesh, nats } = own
  const { service, done } = worker()
  const first = await mesh.start(service)
  await publish(own, 1, 3)
  await eventually(() => expect(done).toEqual([1, 2, 3]))
  await first.stop()
  const jsm = await jetstreamManager(nats)
  const [name, durable] = [mesh.names.stream('JOBS'), mesh.names.durable('worker', 'work')]
  const { config } = await jsm.consumers.info(name, durable)
  await jsm.consumers.delete(name, durable)
  await jsm.consumers.add(name, { ...config, deliver_policy: 'by_start_sequence', opt_start_seq: 50 })
  await publish(own, 4, 5)
  const again = await mesh.start(service)
  await eventually(() => expect(done).toEqual([1, 2, 3, 4, 5]), { timeoutMs: 30_000 })
  expect(again.faults()).toEqual([])
})

test.concurrent('a durable on the lanes that stands past their end is set back, and retries that wait there are made', async () => {
  await using own = await testMesh()
  const { mesh, nats } = own
  const done: number[] = []
  let failures = 0
  const work = on(run, { retry: retry({ attempts: 3, minDelayMs: 2000, maxDelayMs: 3000 }) }, ({ n }) => {
    if (failures++ === 0) throw new Error('not yet')
    done.push(n)
  })
  const service = defineService('worker', { handlers: { work } })
  const first = await mesh.start(service)
  await publish(own, 1, 1)
  await eventually(() => expect(failures).toBe(1))
  // What waits in this process moves to the lane.
  await first.stop()
  const subject = `$JS.API.CONSUMER.RESET.${mesh.names.lanes('worker')}.${mesh.names.durable('worker', 'work')}`
  expect((await nats.request(subject, JSON.stringify({ seq: 100 }))).json()).toMatchObject({ reset_seq: 100 })
  await mesh.start(service)
  await eventually(() => expect(done).toEqual([1]), { timeoutMs: 30_000 })
})

test.concurrent('a durable whose leader has more than the leader of the stream is set back once, and it is told', async () => {
  await using own = await testMesh()
  const { mesh, nats } = own
  const { service, done } = worker()
  const running = await mesh.start(service)
  await publish(own, 1, 3)
  await eventually(() => expect(done).toEqual([1, 2, 3]))
  await running.stop()
  const [name, durable] = [mesh.names.stream('JOBS'), mesh.names.durable('worker', 'work')]
  let resets = 0
  const nc = answering(nats, (subject, answer) => {
    // What a server answers whose replica of the stream ends earlier.
    if (subject.endsWith(`STREAM.INFO.${name}`)) return { ...answer, state: { ...answer.state, last_seq: 1 } }
    if (subject.includes('CONSUMER.RESET')) resets++
    return subject.includes(`CONSUMER.INFO.${name}.`)
      ? { ...answer, delivered: { consumer_seq: 3, stream_seq: 3 } }
      : answer
  })
  const told: string[] = []
  const ignore = (): void => undefined
  const log: Logger = { debug: ignore, info: ignore, warn: ignore, error: (_, message) => void told.push(message) }
  const supervisor = await supervisorOf(own, { nc, log, stream: name, durable, filter: mesh.names.subject('job.run') })
  for (let look = 0; look < 4; look++) await supervisor.look()
  await supervisor.stop()
  expect(resets).toBe(1)
  expect(told.map((one) => one.slice(0, 24))).toEqual(['the stream lost its end,', 'the durable is past the '])
})
