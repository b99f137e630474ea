import { setTimeout as sleep } from 'node:timers/promises'
import { defineService } from '@malha/mesh'
import { eventually, type TestMesh, testMesh } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers as natsHeaders } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import type { SlotDeps } from '../../src/delay/in-slot.ts'
import { Patience } from '../../src/delay/patience.ts'
import { slotOf, slotSubject } from '../../src/delay/slot.ts'
import { takeBack } from '../../src/delay/take-back.ts'
import { storeDelayed } from '../../src/delay/waiting.ts'
import { watchConnection } from '../../src/lifecycle/connection-watch.ts'
import { newEnvelope } from '../../src/message/envelope.ts'
import { PublishPipeline } from '../../src/publish/pipeline.ts'
import { orders, storedIn, timedOut } from './fixture.ts'

const publisher = defineService('orders', { handlers: {}, publishes: [timedOut] })
const slot = slotOf(timedOut.type, '_key', 'k')

type Race = {
  /** Whoever asked a moment too soon what time it is: what it stores comes after that. */
  late: SlotDeps
  /** Sequence of what is in the slot. */
  held: () => Promise<number | undefined>
  /** What the server does when it delivers what was in the slot, whatever is there by now. */
  clear: () => Promise<void>
}

/** An event that is due while somebody takes its place. For the server it is far away, so that the test says when it fires. */
async function race({ mesh, nats }: TestMesh): Promise<Race> {
  await mesh.start(publisher)
  // The durable is there, and this process pulls from it.
  await mesh.publish(timedOut, { orderId: 'o' }, { deliverIn: 60_000, delayKey: 'other' })
  await mesh.cancelDelayed(timedOut, 'other')
  const { names } = mesh
  const jsm = await jetstreamManager(nats)
  const subject = slotSubject(names, slot)
  const dueMs = Date.now() - 50
  const lines: [string, string][] = [
    ['Nats-Schedule', `@at ${new Date(dueMs + 3_600_000).toISOString()}`],
    ['Nats-Schedule-Target', names.delayDue(timedOut.type)],
    ['malha-delay-format', '1'],
    ['malha-due', new Date(dueMs).toISOString()],
    ['ce-id', 'due'],
    ['ce-type', timedOut.type],
  ]
  const headers = natsHeaders()
  for (const [name, value] of lines) headers.set(name, value)
  await jetstream(nats).publish(subject, '{}', { headers })
  let asked = 0
  const clock = {
    now: () => Promise.resolve(asked++ === 0 ? dueMs - 100 : Date.now()),
    estimate: () => Date.now(),
    errorMs: 1,
  }
  const pipeline = new PublishPipeline(nats, watchConnection(nats))
  return {
    late: { nc: nats, names, pipeline, clock, patience: new Patience(nats, timedOut.type, 15_000) },
    held: async () => (await jsm.streams.getMessage(names.delays(), { last_by_subj: subject }))?.seq,
    clear: async () => void (await jsm.streams.purge(names.delays(), { filter: subject })),
  }
}

function outgoing({ names }: TestMesh['mesh'], id: string): Parameters<typeof storeDelayed>[1] {
  const about = { id, from: 'test', key: 'o', correlationId: undefined, causationId: undefined }
  return {
    envelope: newEnvelope(timedOut, about),
    subject: names.subject(`${timedOut.type}.0.o`),
    stream: names.stream(orders),
    payload: new TextEncoder().encode('{"orderId":"o"}'),
    once: false,
    timeoutMs: 15_000,
    headers: [],
  }
}

const inMs = (ms: number): { when: { at: Date }; key: string } => ({
  when: { at: new Date(Date.now() + ms) },
  key: 'k',
})

/** Until something else is in the slot than was. */
async function until({ held }: Race, before: number | undefined): Promise<void> {
  await eventually(async () => expect(await held()).not.toBe(before), { intervalMs: 5 })
}

/** A cancel under way, and a publish that wants its place: begun when the mark of the cancel is there. */
async function cancelThenPublish(
  { mesh }: TestMesh,
  it: Race,
): Promise<{ cancel: Promise<boolean>; next: Promise<unknown> }> {
  const before = await it.held()
  const cancel = takeBack(it.late, slot)
  await until(it, before)
  const next = mesh.publish(timedOut, { orderId: 'o' }, { id: 'next', deliverIn: 60_000, delayKey: 'k' })
  return { cancel, next }
}

const waitingIds = async ({ mesh }: TestMesh): Promise<unknown[]> =>
  (await mesh.delayed(timedOut)).map((one) => one.kind === 'once' && one.id)

test('what is due within a second, and was cleared with what it replaced, comes', async () => {
  await using env = await testMesh()
  const it = await race(env)
  const before = await it.held()
  const storing = storeDelayed(it.late, outgoing(env.mesh, 'soon'), inMs(700))
  await until(it, before)
  await it.clear()
  await storing
  const name = env.mesh.names.stream(orders)
  await eventually(async () => expect((await storedIn(env.nats, name)).map(({ id }) => id)).toEqual(['soon']))
})

test('what replaces the replacement in that moment is not cleared with both', async () => {
  await using env = await testMesh()
  const it = await race(env)
  const before = await it.held()
  const first = storeDelayed(it.late, outgoing(env.mesh, 'first'), inMs(60_000))
  await until(it, before)
  const second = env.mesh.publish(timedOut, { orderId: 'o' }, { id: 'second', deliverIn: 60_000, delayKey: 'k' })
  // Time enough to take its place, if it would.
  await sleep(200)
  await it.clear()
  await Promise.all([first, second])
  expect(await waitingIds(env)).toEqual(['second'])
})

test('what is published after a cancel in that moment is not cleared, and the cancel says what is true', async () => {
  await using env = await testMesh()
  const it = await race(env)
  const { cancel, next } = await cancelThenPublish(env, it)
  await sleep(200)
  await it.clear()
  expect(await cancel).toBe(false)
  await next
  expect(await waitingIds(env)).toEqual(['next'])
})

test('a cancel in time is true, also where another event took that place since', async () => {
  await using env = await testMesh()
  const it = await race(env)
  const { cancel, next } = await cancelThenPublish(env, it)
  expect(await cancel).toBe(true)
  await next
  expect(await waitingIds(env)).toEqual(['next'])
})

test('it comes also where the answer to the first send was lost', async () => {
  await using env = await testMesh()
  const it = await race(env)
  const before = await it.held()
  const { pipeline } = it.late
  let sends = 0
  const twice = async (...given: Parameters<typeof pipeline.publish>): ReturnType<typeof pipeline.publish> => {
    const ack = await pipeline.publish(...given)
    return sends++ === 0 ? await pipeline.publish(...given) : ack
  }
  const deps = { ...it.late, pipeline: { publish: twice } as unknown as typeof pipeline }
  const storing = storeDelayed(deps, outgoing(env.mesh, 'unheard'), inMs(60_000))
  await until(it, before)
  await it.clear()
  await storing
  expect(await waitingIds(env)).toEqual(['unheard'])
})

test('what a newer release put in a slot is neither replaced, cancelled nor listed by an older one', async () => {
  await using env = await testMesh()
  const { mesh, nats } = env
  await mesh.start(publisher)
  const headers = natsHeaders()
  headers.set('malha-delay-format', '2')
  await jetstream(nats).publish(slotSubject(mesh.names, slot), '', { headers })
  const newer = { code: 'MESH_NEWER_VERSION' }
  const later = { deliverIn: 60_000, delayKey: 'k' }
  await expect(mesh.publish(timedOut, { orderId: 'o' }, later)).rejects.toMatchObject(newer)
  await expect(mesh.cancelDelayed(timedOut, 'k')).rejects.toMatchObject(newer)
  await expect(mesh.delayed()).rejects.toMatchObject(newer)
})
