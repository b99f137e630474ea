import { defineService, event, on, stream } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { eventually } from '../src/eventually.ts'
import { faultProxy } from '../src/fault-proxy.ts'
import { testMesh } from '../src/test-mesh.ts'

const notes = stream('NOTES', { subjects: ['note.>'] })
const taken = event('note.taken', { stream: notes, schema: z.object({ text: z.string() }) })

const reader = (heard: string[]) =>
  defineService('reader', {
    handlers: { read: on(taken, { startFrom: 'all' }, ({ text }) => void heard.push(text)) },
  })

test('a mesh on a real server, empty at first', async () => {
  await using t = await testMesh()
  const heard: string[] = []
  await t.mesh.start(reader(heard))
  await t.mesh.publish(taken, { text: 'hello' })
  await eventually(() => expect(heard).toEqual(['hello']))
})

test('two on one server do not meet, and another instance joins the first', async () => {
  await using one = await testMesh()
  await using two = await testMesh()
  expect(two.url).toBe(one.url)
  expect(two.namespace).not.toBe(one.namespace)
  const [here, there]: [string[], string[]] = [[], []]
  await one.mesh.start(reader(here))
  await two.mesh.start(reader(there))
  await (await one.connect()).publish(taken, { text: 'to one' })
  await two.mesh.publish(taken, { text: 'to two' })
  await eventually(() => expect([here, there]).toEqual([['to one'], ['to two']]))
})

test('a disposed mesh leaves no stream behind', async () => {
  await using stays = await testMesh()
  const gone = await testMesh()
  await gone.mesh.start(reader([]))
  const jsm = await jetstreamManager(stays.nats)
  const ofGone = async (): Promise<string[]> =>
    (await jsm.streams.names().next()).filter((name) => name.includes(gone.namespace))
  expect(await ofGone()).toContain(`${gone.namespace}_NOTES`)
  await gone[Symbol.asyncDispose]()
  expect(await ofGone()).toEqual([])
})

test('a mesh behind a proxy loses its server and finds it again', async () => {
  await using t = await testMesh()
  await using proxy = await faultProxy({ target: t.url })
  const behind = await t.connect({ servers: proxy.url })
  const heard: string[] = []
  await behind.start(reader(heard))
  await proxy.refuse()
  await t.mesh.publish(taken, { text: 'meanwhile' })
  await proxy.accept()
  await eventually(() => expect(heard).toEqual(['meanwhile']), { timeoutMs: 40_000 })
  expect(proxy.counts.cut).toBeGreaterThan(0)
})
