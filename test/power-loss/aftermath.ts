/**
 * What a broker has after the power came back: looked at from outside first, then with the mesh on it as its services would
 * come back.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { connectMesh, MeshError } from '@malha/mesh'
import { eventually } from '@malha/testing'
import { jetstream, jetstreamManager, JetStreamApiError } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { meterRead, reader, READER_DURABLE, reading, STREAMS } from './load.ts'
import { connected } from './recording.ts'

export type Aftermath = {
  /** How often each id is stored. */
  stored: Map<string, number>
  /** The handler's durable says that it is done with events behind the end of the stream: new ones might be passed over. */
  isFloorBeyondEnd: boolean
  /** The durable is there. */
  hasDurable: boolean
  /** Events in the stream that were not handled again, although the durable had not passed them; and new ones that were not handled. */
  passedOver: string[]
  /** Why nothing could be published any more within half a minute. */
  stuck?: string
  /** Ids that are stored twice after everything that was acknowledged last was published again under its id. */
  doubled: string[]
}

const PATIENCE = { timeoutMs: 60_000, intervalMs: 100 }
const FRESH = 10

/** @param last ids that were acknowledged last, which their publisher sends again, as one does that did not hear of it */
export async function lookAround(
  url: string,
  { replicas, last }: { replicas: 1 | 3; last: string[] },
): Promise<Aftermath> {
  await using nats = await connected(url)
  const { connection } = nats
  const [ofMesh, ofPlain] = [await idsIn(connection, STREAMS.mesh), await idsIn(connection, STREAMS.plain)]
  const durable = await durableOf(connection)
  const end = Math.max(0, ...ofMesh.keys())
  const { handled, fresh, stuck } = await comeBack(url, { replicas, last })
  const after = [...(await idsIn(connection, STREAMS.mesh)).values()]
  const toHandle = [...ofMesh].flatMap(([seq, id]) =>
    seq > (durable?.floor ?? 0) && !durable?.acked.has(seq) ? [id] : [],
  )
  return {
    stored: countOf([...ofMesh.values(), ...ofPlain.values()]),
    hasDurable: durable !== undefined,
    isFloorBeyondEnd: (durable?.delivered ?? 0) > end,
    passedOver: [...new Set([...toHandle, ...fresh])].filter((id) => !handled.has(id)),
    ...(stuck !== undefined && { stuck }),
    doubled: [...countOf(after)].filter(([, count]) => count > 1).map(([id]) => id),
  }
}

type Back = { handled: Set<string>; fresh: string[]; stuck?: string }

/** The service starts again, publishers repeat what they heard last, and go on. */
async function comeBack(url: string, options: { replicas: 1 | 3; last: string[] }): Promise<Back> {
  const handled = new Set<string>()
  await using mesh = await eventually(() => connectMesh({ servers: url, replicas: options.replicas }), PATIENCE)
  await eventually(() => mesh.start(reader((id) => handled.add(id))), PATIENCE)
  const numberOf = (id: string): number => Number(id.slice('mesh-'.length))
  const publish = (id: string, n: number): Promise<unknown> =>
    mesh.publish(meterRead, reading(n), { id, timeoutMs: 30_000 })
  const fresh = Array.from({ length: FRESH }, (_, n) => `fresh-${n}`)
  try {
    await Promise.all(options.last.map((id) => publish(id, numberOf(id))))
    await Promise.all(fresh.map(publish))
  } catch (error) {
    if (error instanceof MeshError) return { handled, fresh: [], stuck: error.message }
    throw error
  }
  await isAtRest(mesh.nats, () => fresh.every((id) => handled.has(id)))
  return { handled, fresh }
}

/** All is acked, or nothing moves any more: then what is missing is what was passed over. */
async function isAtRest(nats: NatsConnection, isDone: () => boolean): Promise<void> {
  const manager = await jetstreamManager(nats)
  const check = async (): Promise<boolean> => {
    const info = await manager.consumers.info(STREAMS.mesh, READER_DURABLE)
    return isDone() && info.num_ack_pending === 0 && info.num_pending === 0
  }
  await eventually(check, { timeoutMs: 30_000, intervalMs: 50 }).catch(() => undefined)
}

/** Ids by sequence; none when the stream is gone. Read to its last sequence: what a server says is pending may be 0 before. */
export async function idsIn(nats: NatsConnection, name: string): Promise<Map<number, string>> {
  const manager = await jetstreamManager(nats, { checkAPI: false, timeout: 5000 })
  return eventually(async () => {
    const info = await orMissing(() => manager.streams.info(name))
    const ids = new Map<number, string>()
    if (!info || info.state.messages === 0) return ids
    const consumer = await jetstream(nats).consumers.get(name)
    try {
      for (let last = 0; last < info.state.last_seq;) {
        const before = last
        for await (const { seq, headers } of await consumer.fetch({ max_messages: 500, expires: 2000 })) {
          ids.set(seq, headers?.get('ce-id') || headers?.get('Nats-Msg-Id') || '')
          last = seq
        }
        if (last === before)
          throw new Error(`${name} gives nothing behind ${last}, and ends with ${info.state.last_seq}`)
      }
    } finally {
      await consumer.delete()
    }
    return ids
  }, PATIENCE)
}

type Durable = { floor: number; delivered: number; acked: Set<number> }

async function durableOf(nats: NatsConnection): Promise<Durable | undefined> {
  const manager = await jetstreamManager(nats, { checkAPI: false, timeout: 5000 })
  const info = await eventually(() => orMissing(() => manager.consumers.info(STREAMS.mesh, READER_DURABLE)), PATIENCE)
  if (!info) return undefined
  const { ack_floor: floor, delivered, num_ack_pending: open } = info
  // What was delivered behind the floor may be acked already, one by one: nobody is told which.
  const acked = new Set<number>()
  const between = delivered.stream_seq - floor.stream_seq
  if (open < between) for (let seq = floor.stream_seq + 1; seq <= delivered.stream_seq; seq += 1) acked.add(seq)
  return { floor: floor.stream_seq, delivered: delivered.stream_seq, acked }
}

/** Undefined when it is gone: a server that has just come back may say so of what it has yet to hear of. */
async function orMissing<T>(ask: () => Promise<T>): Promise<T | undefined> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof JetStreamApiError && error.status === 404)) throw error
      if (tries === MISSING_TRIES) return undefined
    }
    await pause(1000)
  }
}

const MISSING_TRIES = 8

function countOf(ids: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}
