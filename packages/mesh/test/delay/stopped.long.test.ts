import { defineService, event, stream } from '@malha/mesh'
import { eventually, faultProxy, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { storedIn } from './fixture.ts'

test('what a forwarder was given before it was stopped is not stored again when it goes on, past the window', async () => {
  await using env = await testMesh()
  await using proxy = await faultProxy({ target: env.server.url })
  const brief = stream('BRIEF', { subjects: ['brief.>'], duplicateWindowMs: 1000 })
  const said = event('brief.said', { stream: brief, schema: z.object({ n: z.number() }) })
  const service = defineService('brief', { handlers: {}, publishes: [said] })
  const bystander = defineService('other', { handlers: {}, publishes: [] })
  const stopped = await env.connect({ servers: proxy.url })
  await stopped.provision(service)
  const { names } = stopped
  const jsm = await jetstreamManager(env.nats)
  const durable = async (): Promise<{ num_waiting: number; num_ack_pending: number }> =>
    await jsm.consumers.info(names.delays(), names.delayDurable(said.type))
  const { id } = await stopped.publish(said, { n: 1 }, { deliverIn: 1000 })
  await eventually(async () => expect((await durable()).num_waiting).toBe(1))
  // What the server sends lies there unread, as with a process that is stopped.
  proxy.stall()
  await eventually(async () => expect((await durable()).num_ack_pending).toBe(1))
  await env.mesh.start(bystander)
  const name = names.stream(brief)
  await eventually(async () => expect(await storedIn(env.nats, name)).toMatchObject([{ id }]))
  await eventually(async () => {
    const { messages } = (await jsm.streams.info(names.delays())).state
    expect(messages).toBe(0)
  })
  const storedMs = (await storedIn(env.nats, name))[0]!.storedMs
  await eventually(() => expect(Date.now()).toBeGreaterThan(storedMs + 3000))
  proxy.resume()
  // It reads what lay there before it can answer this.
  const after = await stopped.publish(said, { n: 2 })
  await stopped.close()
  expect((await storedIn(env.nats, name)).map((one) => one.id)).toEqual([id, after.id])
})
