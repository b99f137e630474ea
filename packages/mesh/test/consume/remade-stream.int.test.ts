import { jetstreamManager } from '@nats-io/jetstream'
import { eventually, faultProxy, testMesh, type TestMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  command,
  defineService,
  getStored,
  LETTER_HEADER,
  minutes,
  on,
  Reject,
  retry,
  stream,
  streamState,
} from '../../src/index.ts'

const jobs = stream('JOBS', { subjects: ['job.>'], maxBytes: 16 * 1024 ** 2 })
const run = command('job.run', { stream: jobs, schema: z.object({ n: z.number() }) })

/** Deletes a stream and makes it again, with its durables, as an operator does. Returns the new epoch. */
async function makeAnew({ nats }: TestMesh, name: string): Promise<number> {
  const jsm = await jetstreamManager(nats)
  const { epoch } = await streamState(nats, name)
  const { config } = await jsm.streams.info(name)
  const durables = await Array.fromAsync(jsm.consumers.list(name))
  await jsm.streams.delete(name)
  await eventually(() => expect(Math.floor(Date.now() / 1000)).toBeGreaterThan(epoch))
  await jsm.streams.add(config)
  for (const durable of durables) await jsm.consumers.add(name, durable.config)
  return (await streamState(nats, name)).epoch
}

test('a letter and a waiting retry name the stream their event is of, though it was made anew behind a cut', async () => {
  await using own = await testMesh()
  const { mesh } = own
  await using proxy = await faultProxy({ target: own.url })
  const away = await own.connect({ servers: proxy.url })
  const done: number[] = []
  const work = on(run, { retry: retry({ attempts: 5, minDelayMs: minutes(5), maxDelayMs: minutes(10) }) }, ({ n }) => {
    done.push(n)
    if (n === 2) throw new Reject('refused')
    if (n === 3) throw new Error('not now')
  })
  await away.start(defineService('worker', { handlers: { work } }))
  await mesh.publish(run, { n: 1 })
  await eventually(() => expect(done).toEqual([1]))
  await proxy.refuse()
  const epoch = await makeAnew(own, mesh.names.stream('JOBS'))
  await mesh.publish(run, { n: 2 })
  await mesh.publish(run, { n: 3 })
  await proxy.accept()
  await eventually(
    async () => {
      const letter = await first(own, 'DEAD_LETTERS', 'dlq.>')
      expect(letter?.headers[LETTER_HEADER.epoch]).toBe(String(epoch))
      expect(letter?.subject).toContain(`.${epoch}.1@`)
      expect((await first(own, 'LANES_WORKER', 'lane.>'))?.subject).toContain(`.${epoch}.2@`)
    },
    { timeoutMs: 20_000 },
  )
})

const first = ({ mesh, nats }: TestMesh, name: string, filter: string): ReturnType<typeof getStored> =>
  getStored(nats, mesh.names.stream(name), { seq: 1, next_by_subj: mesh.names.subject(filter) })
