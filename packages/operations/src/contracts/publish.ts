import {
  type AnyContract,
  command,
  event,
  MeshError,
  type Priority,
  prepareEvent,
  type PublishOptions,
  stream,
} from '@malha/mesh'
import { type Actor, audited, type Desk } from '../audit/audited.ts'
import { OperationsError } from '../errors.ts'
import { keyOf } from './key-of.ts'
import type { KnownContract } from './known-contract.ts'

export type PublishEventOptions = {
  /** The event's identity. @default a new one */
  id?: string | undefined
  /** Where the contract's key is computed by code. @default by the contract */
  key?: string | undefined
  /** It comes this much later, ms. @default now */
  deliverIn?: number | undefined
  /** @default 'normal' */
  priority?: Priority | undefined
  /** At most one event of this type and key for as long as the stream holds it. @default false */
  once?: boolean | undefined
  correlationId?: string | undefined
  /** Checks it, and stores nothing. @default false */
  dryRun?: boolean | undefined
}

/** An event that was stored, or would be. */
export type PublishedEvent = {
  readonly type: string
  readonly version: number
  readonly id: string
  readonly key: string | null
  /** On the server. */
  readonly subject: string
  readonly stream: string
  /** Null of a dry run. */
  readonly seq: number | null
  /** It was stored before, under the same id. */
  readonly duplicate: boolean
  /** RFC 3339; null of one that comes at once. */
  readonly waitsUntil: string | null
}

/**
 * Publishes an event as its contract says it: what is wrong with the payload is told whole, and nothing is stored then.
 * `contract` is a declaration, or what the services of the mesh said of the type.
 * @throws OperationsError OPERATIONS_PAYLOAD_REFUSED | OPERATIONS_INVALID_OPTIONS | OPERATIONS_NOT_AUDITED; MeshError as `mesh.publish`
 */
export async function publishEvent(
  desk: Desk,
  { contract: given, data }: { contract: AnyContract | KnownContract; data: unknown },
  { who, reason, key, dryRun = false, deliverIn, ...more }: Actor & PublishEventOptions,
): Promise<PublishedEvent> {
  const { mesh } = desk
  const contract = 'schemas' in given ? await asContract(given, { data, key }) : given
  const options = Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined)) as PublishOptions
  // Fixes the id and the subject, and tells what is wrong before anything is sent.
  const { envelope, subject } = await prepared(contract, data, options)
  if (key !== undefined && envelope.key !== key)
    throw new OperationsError(
      'OPERATIONS_INVALID_OPTIONS',
      envelope.key === undefined
        ? `${contract.type} has no key; leave it out`
        : `the key of this ${contract.type} is ${JSON.stringify(envelope.key)} by its contract, and another one was given`,
    )
  const event = {
    type: contract.type,
    version: contract.version,
    id: envelope.id,
    key: envelope.key ?? null,
    subject: mesh.names.subject(subject),
    stream: mesh.names.stream(contract.stream),
  }
  if (dryRun) return { ...event, seq: null, duplicate: false, waitsUntil: null }
  const { id: target, ...after } = event
  const act = { action: 'event.publish', who, reason, target, before: null, after }
  const stored = await audited(desk, act, () =>
    mesh.publish(contract, data, { ...options, id: target, ...(deliverIn !== undefined && { deliverIn }) }),
  )
  if (stored.queued) return { ...event, seq: null, duplicate: false, waitsUntil: null }
  return {
    ...event,
    stream: stored.stream,
    seq: stored.seq,
    duplicate: stored.duplicate,
    waitsUntil: stored.waitsUntil?.toISOString() ?? null,
  }
}

async function prepared(
  contract: AnyContract,
  data: unknown,
  options: PublishOptions,
): ReturnType<typeof prepareEvent> {
  try {
    return await prepareEvent(contract, data, { ...options, from: 'malha' })
  } catch (error) {
    const isRefused = error instanceof MeshError && error.code === 'MESH_INVALID_PAYLOAD'
    throw isRefused ? new OperationsError('OPERATIONS_PAYLOAD_REFUSED', error.message, { cause: error }) : error
  }
}

/** What was said, as a declaration: the mesh then publishes it as any other. */
async function asContract(
  known: KnownContract,
  { data, key }: { data: unknown; key: string | undefined },
): Promise<AnyContract> {
  const { type, kind, stream: place, version, priorities, contentType } = known
  const say = (detail: string): OperationsError => new OperationsError('OPERATIONS_INVALID_OPTIONS', detail)
  if (kind === 'request' || place === null) throw say(`${type} is a request: it is asked, not published`)
  if (contentType !== 'application/json')
    throw say(`${type} is written as ${contentType}, which only its own code can; give its contract`)
  const { payloadFaults } = await import('./check-payload.ts')
  const faults = payloadFaults(known, data)
  if (faults.length > 0)
    throw new OperationsError(
      'OPERATIONS_PAYLOAD_REFUSED',
      `nothing was published: the payload does not fit ${type}/${version}:${faults.map(({ sentence }) => `\n  - ${sentence}`).join('')}`,
      { faults },
    )
  const found = keyOf(known, data, key)
  if (found.fault !== undefined) throw say(found.fault)
  const { key: own } = found
  const declare = kind === 'event' ? event : command
  return declare(type, {
    stream: stream(place.name, { subjects: [type, `${type}.>`], partitions: place.partitions }),
    // It was checked above, by the schema of whoever handles it.
    schema: { '~standard': { version: 1, vendor: 'malha', validate: (value) => ({ value }) } },
    version,
    upcast: (older) => older,
    ...(kind === 'command' && { priorities }),
    ...(own !== undefined && { key: () => own }),
  })
}
