import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { AckPolicy, type StreamConfig } from '@nats-io/jetstream'
import { headers, type MsgHdrs, nanos } from '@nats-io/transport-node'
import { type Server, startServer } from './servers.ts'

const COUNT = 200_000
const MIB = 1024 ** 2
/** Messages. A block has some 7800: it is looked at nearly full, too. */
const LOOK_EVERY = 1700
/** It is by chance whether a block is held while the next one is written. */
const ROUNDS = 3

type Message = { subject: string; headers?: MsgHdrs }

/** What a server holds in memory of each thing it knows, bytes, by the name of its constant. */
export async function measureMemory(say: (line: string) => void): Promise<Record<string, number>> {
  const serverBytes = await emptyHeap()
  say('memory: subjects')
  const same = await heapOf(() => ({ subject: 'x.one' }))
  const each = (bytes: number): number => Math.round((bytes - same) / COUNT)
  const subjectBytes = each(await heapOf((n) => ({ subject: `x.placed.${n % 16}.o-${String(n).padStart(10, '0')}` })))
  const ownSubjectBytes = each(await heapOf(() => ({ subject: `x._done.ORDERS.shop.bill.${randomUUID()}` })))
  say('memory: inboxes')
  const inboxHeapBytes = each(
    await heapOf(
      () => ({ subject: `x.V.MESH_INBOX.shop.bill.${randomUUID()}`, headers: headersOf({ 'Nats-TTL': '3600s' }) }),
      { allow_msg_ttl: true, max_msgs_per_subject: 1 },
    ),
  )
  say('memory: ids')
  const idBytes = each(
    await heapOf(() => ({ subject: 'x.one', headers: headersOf({ 'Nats-Msg-Id': randomUUID() }) }), {
      duplicate_window: nanos(3_600_000),
    }),
  )
  say('memory: schedules')
  const due = new Date(Date.now() + 3_600_000).toISOString()
  const scheduleBytes = each(
    await heapOf(
      () => ({
        subject: `x.at.ORDERS.1795271400.${randomUUID()}`,
        headers: headersOf({ 'Nats-Schedule': `@at ${due}`, 'Nats-Schedule-Target': 'x.now' }),
      }),
      { allow_msg_schedules: true },
    ),
  )
  say('memory: streams and durables')
  const assetBytes = await assetHeap(1)
  say('memory: raft groups')
  const raftBytes = (await assetHeap(3)) - assetBytes
  say('memory: blocks just written')
  const cacheBytes = await writtenHeap(1)
  say('memory: blocks just written, three servers')
  return {
    serverBytes,
    subjectBytes,
    ownSubjectBytes,
    inboxHeapBytes,
    idBytes,
    scheduleBytes,
    assetBytes,
    raftBytes,
    cacheBytes,
    raftCacheBytes: (await writtenHeap(3)) - cacheBytes,
  }
}

/** The most that a server holds of what it just wrote, and lets go of some ten seconds later. */
async function writtenHeap(replicas: 1 | 3): Promise<number> {
  const rounds: number[] = []
  for (let round = 0; round < ROUNDS; round++) rounds.push(await writtenHeapOnce(replicas))
  return Math.max(...rounds)
}

async function writtenHeapOnce(replicas: 1 | 3): Promise<number> {
  await using server = await startServer({ replicas })
  const { mesh, jsm } = server
  await jsm.streams.add({ name: 'X', subjects: ['x.>'], duplicate_window: nanos(100), num_replicas: replicas })
  const payload = 'x'.repeat(1024)
  let most = 0
  for (let n = 0; n < COUNT; n++) {
    mesh.nats.publish('x.one', payload)
    if (n % 1000 === 999) await stored(server, n + 1)
    if (n % LOOK_EVERY === LOOK_EVERY - 1) most = Math.max(most, mean(await server.heaps()))
  }
  return Math.round(most - (await settled(server)))
}

const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length

const headersOf = (of: Record<string, string>): MsgHdrs => {
  const all = headers()
  for (const [name, value] of Object.entries(of)) all.set(name, value)
  return all
}

async function emptyHeap(): Promise<number> {
  await using server = await startServer()
  return await settled(server)
}

/** The heap of a server whose one stream has so many messages, once it has let go of what it wrote. */
async function heapOf(message: (n: number) => Message, config: Partial<StreamConfig> = {}): Promise<number> {
  await using server = await startServer()
  const { jsm, mesh } = server
  await jsm.streams.add({
    name: 'X',
    subjects: ['x.>'],
    duplicate_window: nanos(100),
    max_bytes: -1,
    ...config,
  })
  for (let n = 0; n < COUNT; n++) {
    const { subject, headers } = message(n)
    mesh.nats.publish(subject, '{}', headers && { headers })
    if (n % 1000 === 999) await stored(server, n + 1)
  }
  return await settled(server)
}

async function stored({ mesh, jsm }: Server, count: number): Promise<void> {
  await mesh.nats.flush()
  while ((await jsm.streams.info('X')).state.messages < count) await pause(5)
}

/** A server keeps what it wrote for some seconds: its heap once that does not shrink any more. */
async function settled(server: Server): Promise<number> {
  for (let last = Infinity; ;) {
    const heap = mean(await server.heaps())
    if (heap > last - MIB / 4) return heap
    last = heap
    await pause(6000)
  }
}

/** Of a stream or a durable, half of each, on one server or on each of three: there each has a raft group. */
async function assetHeap(replicas: 1 | 3): Promise<number> {
  await using server = await startServer({ replicas })
  const { jsm } = server
  const before = await settled(server)
  for (let n = 0; n < 100; n++) {
    await jsm.streams.add({ name: `S${n}`, subjects: [`s${n}.>`], num_replicas: replicas })
    await jsm.consumers.add(`S${n}`, { durable_name: 'd', ack_policy: AckPolicy.Explicit })
  }
  return Math.round(((await settled(server)) - before) / 200)
}
