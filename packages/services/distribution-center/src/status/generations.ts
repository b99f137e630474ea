import { randomBytes } from 'node:crypto'
import { JetStreamApiError, jetstreamManager } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import type { Mesh } from '@malha/mesh'
import { BROKER_MS } from '../mesh/deadline.ts'
import { centerRegistry } from './registry.ts'
import type { ReadModel } from './read-model.ts'
import { isConflict, statusStore } from './store.ts'

/** Which of the read models is the one that is read and written. */
export type Pointer = {
  /** Version of this format. */
  readonly v: 1
  /** Of the generation; '' is the first, which nobody named. */
  readonly live: string
  /** The one before: kept until the next one is replaced. */
  readonly before?: string
}

export type StoredPointer = { readonly pointer: Pointer; readonly revision: number | undefined }

const POINTER_BUCKET = 'CENTER_READ_MODEL'
const POINTER_KEY = 'live'

/** Sorts by when it was made, and is nobody else's. */
export const newGeneration = (): string => `${Date.now().toString(36)}${randomBytes(3).toString('hex')}`.toUpperCase()

/** The two buckets of a generation. */
export const bucketsOf = (generation: string): { statuses: string; registry: string } => {
  const suffix = generation === '' ? '' : `_${generation}`
  return { statuses: `CENTER_STATUS${suffix}`, registry: `CENTER_REGISTRY${suffix}` }
}

/** Opens a generation, and makes it where it is missing. */
export async function openGeneration(mesh: Mesh, generation: string): Promise<ReadModel> {
  const names = bucketsOf(generation)
  const [statuses, order] = await Promise.all([
    mesh.bucket(names.statuses),
    mesh.bucket(names.registry, { maxBytes: 64 * 1024 ** 2 }),
  ])
  const bucket = mesh.names.bucket(names.registry)
  return {
    statuses: statusStore(statuses),
    registry: await centerRegistry(mesh.nats, order, { bucket, timeoutMs: BROKER_MS }),
  }
}

export const openPointer = (mesh: Mesh): Promise<KV> => mesh.bucket(POINTER_BUCKET, { maxBytes: 1024 ** 2 })

export async function readPointer(kv: KV): Promise<StoredPointer> {
  const entry = await kv.get(POINTER_KEY)
  if (entry === null || entry.operation !== 'PUT') return { pointer: { v: 1, live: '' }, revision: entry?.revision }
  const pointer = entry.json<Pointer>()
  if (pointer.v !== 1)
    throw new Error(`${POINTER_BUCKET} has format ${String(pointer.v)}, this release knows 1; run the newer release`)
  return { pointer, revision: entry.revision }
}

/** False when somebody else has moved it since it was read. */
export async function movePointer(kv: KV, to: Pointer, { revision }: StoredPointer): Promise<boolean> {
  try {
    const bytes = JSON.stringify(to)
    await (revision === undefined ? kv.create(POINTER_KEY, bytes) : kv.update(POINTER_KEY, bytes, revision))
    return true
  } catch (error) {
    if (isConflict(error)) return false
    throw error
  }
}

/** From now on every write into it is refused, for good, and it can be read as before. */
export async function sealGeneration(mesh: Mesh, generation: string): Promise<void> {
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  for (const name of streamsOf(mesh, generation))
    await jsm.streams
      .info(name)
      .then(({ config }) => jsm.streams.update(name, Object.assign(config, { sealed: true })))
      .catch(unlessMissing)
}

export async function removeGeneration(mesh: Mesh, generation: string): Promise<void> {
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  for (const name of streamsOf(mesh, generation)) await jsm.streams.delete(name).catch(unlessMissing)
}

const streamsOf = ({ names }: Mesh, generation: string): string[] =>
  Object.values(bucketsOf(generation)).map((bucket) => `KV_${names.bucket(bucket)}`)

function unlessMissing(error: unknown): void {
  if (!(error instanceof JetStreamApiError && error.code === 10059)) throw error
}

/** JetStream's 10109: the generation was replaced. */
export function isSealed(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === 10109
}
