import { eventually, type TestMesh, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { command, defineService, on, retry, stream } from '../../src/index.ts'
import { deliverInVain } from './deliver-in-vain.ts'

const jobs = stream('JOBS', { subjects: ['job.>'] })
const run = command('job.run', { stream: jobs, schema: z.object({ n: z.number() }) })

async function notesOf({ mesh, nats }: TestMesh): Promise<unknown[]> {
  const jsm = await jetstreamManager(nats)
  const lanes = mesh.names.lanes('worker')
  const { state } = await jsm.streams.info(lanes, { subjects_filter: mesh.names.subject('lane.worker._note.>') })
  const stored = Object.keys(state.subjects ?? {}).map((last_by_subj) =>
    jsm.streams.getMessage(lanes, { last_by_subj }),
  )
  return (await Promise.all(stored)).map((note) => note?.json())
}

test('a message delivered too often is noted before it runs; when it comes back nothing is left of that', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const during: unknown[] = []
  let calls = 0
  const service = defineService('worker', {
    handlers: {
      work: on(run, { retry: retry({ attempts: 3, minDelayMs: 10 }) }, async () => {
        calls++
        during.push(...(await notesOf(own)))
        if (calls === 1) throw new Error('not yet')
      }),
    },
  })
  await (await mesh.start(service)).stop()
  await mesh.publish(run, { n: 1 })
  await deliverInVain(own, mesh.names.stream('JOBS'), 4)
  await mesh.start(service)
  // Each attempt of it, not only the first.
  await eventually(() =>
    expect(during).toMatchObject([
      { v: 1, crashes: 1 },
      { v: 1, crashes: 1 },
    ]),
  )
  await eventually(async () => expect(await notesOf(own)).toEqual([]))
  const jsm = await jetstreamManager(own.nats)
  await eventually(async () => {
    const info = await jsm.consumers.info(mesh.names.stream('JOBS'), mesh.names.durable('worker', 'work'))
    expect(info.ack_floor.stream_seq).toBe(1)
  })
  expect((await jsm.streams.info(mesh.names.stream('DEAD_LETTERS'))).state.messages).toBe(0)
})

test('one delivered less often leaves no note', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const during: unknown[][] = []
  const service = defineService('worker', {
    handlers: { work: on(run, async () => void during.push(await notesOf(own))) },
  })
  await (await mesh.start(service)).stop()
  await mesh.publish(run, { n: 1 })
  await deliverInVain(own, mesh.names.stream('JOBS'), 2)
  await mesh.start(service)
  await eventually(() => expect(during).toEqual([[]]))
})
