import { setTimeout as sleep } from 'node:timers/promises'
import { jetstream } from '@nats-io/jetstream'
import { type KV, Kvm } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import { isOvertaken, isUndecided } from './api-errors.ts'
import type { Names } from './names.ts'
import { CHECKPOINT_BUCKET } from './system.ts'

/** Where a durable stood, kept outside of it, so that a lost durable is made again without losing or repeating events. */
export type Checkpoint = {
  readonly v: 1
  /** With the namespace. */
  readonly stream: string
  readonly epoch: number
  /** The durable had acks for all up to this sequence. One that is made again begins after it. */
  readonly floor: number
  /** All up to this sequence is accounted for: acked, or written down as aged out. */
  readonly settled: number
  /** Of what the durable delivered lately, the event with the highest sequence. */
  readonly seen?: Seen
  /** How often the durable was set back, because its stream had lost its end. @default 0 */
  readonly setBacks?: number
  /** The last time, so that what the server told before need not be acted upon again. */
  readonly lastSetBack?: LastSetBack
}

/** When a durable was set back, in unix ns by the server's clock, and to which sequence: it and all behind it is delivered again. */
export type LastSetBack = { readonly at: string; readonly from: number }

/** An event by its time as well, in unix ns: a stream that lost its end gives its sequence to another one. */
export type Seen = { readonly seq: number; readonly at: string }

/** With the pauses, longer than an election. */
const ATTEMPTS = 60
const UNDECIDED_MS = 250

/**
 * The bucket, which `provisionStreams` has made. Any replica answers a read: a checkpoint that is a little old costs a
 * repetition, and writes compare before they set.
 * Needs `$JS.API.DIRECT.GET.KV_<bucket>.>` to read, `$KV.<bucket>.>` to write.
 */
export function openCheckpoints(nc: NatsConnection, names: Names): Promise<KV> {
  return new Kvm(jetstream(nc)).open(names.bucket(CHECKPOINT_BUCKET), { allow_direct: true })
}

/** @throws MeshError MESH_TOPOLOGY when a newer release of the library wrote it */
export async function readCheckpoint(bucket: KV, durable: string): Promise<Checkpoint | undefined> {
  return (await read(bucket, durable))?.checkpoint
}

/**
 * Moves a checkpoint forward; several instances may write. Within one epoch of one stream it goes back only where it tells
 * of a durable that was set back; an instance that still talks of an earlier epoch, or of before that, changes nothing.
 * @returns false when what is stored is further already
 */
export async function writeCheckpoint(bucket: KV, durable: string, next: Checkpoint): Promise<boolean> {
  const text = JSON.stringify(next)
  for (let attempt = 1; ; attempt++) {
    const current = await read(bucket, durable)
    if (current !== undefined && !isFurther(next, current.checkpoint)) return false
    try {
      if (current === undefined) await bucket.create(durable, text)
      else await bucket.update(durable, text, current.revision)
      return true
    } catch (error) {
      if (!isOvertaken(error) || attempt === ATTEMPTS) throw error
      if (isUndecided(error)) await sleep(UNDECIDED_MS)
    }
  }
}

function isFurther(next: Checkpoint, current: Checkpoint): boolean {
  if (next.stream !== current.stream) return true
  if (next.epoch !== current.epoch) return next.epoch > current.epoch
  const [setBacks, before] = [next.setBacks ?? 0, current.setBacks ?? 0]
  if (setBacks !== before) return setBacks > before
  if (next.floor < current.floor || next.settled < current.settled) return false
  return next.floor > current.floor || next.settled > current.settled
}

async function read(bucket: KV, durable: string): Promise<{ checkpoint: Checkpoint; revision: number } | undefined> {
  const entry = await bucket.get(durable)
  if (entry === null || entry.operation !== 'PUT') return undefined
  const checkpoint = entry.json<Checkpoint>()
  if (checkpoint.v !== 1)
    throw new MeshError(
      'MESH_TOPOLOGY',
      `the checkpoint of ${durable} has version ${String(checkpoint.v)}, written by a newer release of the library; upgrade this service`,
    )
  return { checkpoint, revision: entry.revision }
}
