import {
  DiscardPolicy,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamUpdateConfig,
} from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import { days, minutes } from '../durations.ts'
import { HANDLERS, type Names } from './names.ts'
import { stream, type StreamDef } from './stream.ts'

/** What a stream is for: events of contracts, what the mesh says of itself, dead letters, what was done with them, who did what, a service's retries, what is published for later, floors of durables, what services say of their contracts, what was told to people, what the server told of messages it gave up. */
export type StreamKind =
  | 'events'
  | 'mesh'
  | 'dead-letters'
  | 'operations'
  | 'audit'
  | 'lanes'
  | 'delays'
  | 'checkpoints'
  | 'partitions'
  | 'inbox'
  | 'controls'
  | 'contracts'
  | 'notifications'
  | 'advisories'

/** The settings the mesh declares. Whatever else a stream has (compression, placement, …) is its operator's business. */
export type DesiredConfig = Pick<StreamConfig, 'retention' | 'storage' | 'max_consumers'> &
  Pick<
    StreamUpdateConfig,
    'subjects' | 'discard' | 'max_age' | 'max_bytes' | 'max_msgs' | 'max_msgs_per_subject' | 'duplicate_window'
  > &
  Pick<StreamUpdateConfig, 'allow_direct' | 'allow_msg_ttl'> &
  Partial<Pick<StreamUpdateConfig, 'allow_atomic' | 'allow_msg_schedules' | 'allow_rollup_hdrs'>> &
  Partial<Pick<StreamUpdateConfig, 'discard_new_per_subject'>> &
  Partial<Pick<StreamConfig, 'deny_delete' | 'deny_purge'>>

/** A stream as it should be on the server. */
export type DesiredStream = {
  readonly kind: StreamKind
  /** With the namespace. */
  readonly name: string
  readonly owner: string
  readonly revision: number
  /** Undefined: 1 when the stream is made, otherwise whatever it has. */
  readonly replicas: number | undefined
  readonly config: Readonly<DesiredConfig>
  readonly metadata: Readonly<Record<string, string>>
}

/** Version of what the mesh writes in streams, buckets and lanes. */
export const FORMAT = '1'

/** Who owns the streams of the mesh itself. */
export const SYSTEM_OWNER = 'malha'

/**
 * A stream's consumers in all. The server's own default of 1000 is too low for ordered handlers with a consumer a
 * partition, and depends on the server's configuration.
 */
const MAX_CONSUMERS = 10_000

/** What the mesh says of itself: attempts that failed, breakers that changed. Its contracts hang on this definition. */
export const meshStream: StreamDef = stream('MESH', {
  subjects: ['mesh.>'],
  maxAgeMs: days(7),
  maxBytes: 256 * 1024 ** 2,
})

/**
 * Who did what, from where and why. Its contract hangs on this definition; on the server it has no age
 * ({@link auditLogStream}).
 */
export const auditStream: StreamDef = stream('AUDIT', { subjects: ['audit.entry.>'], maxAgeMs: days(36_500) })

/** What became of letters, and of messages of replays. */
export const OPERATIONS_SUBJECTS: readonly string[] = ['ops.letter.>', 'ops.run.>']

/** Bucket with the floor of every durable, so that a lost one is made again where it stood. */
export const CHECKPOINT_BUCKET = 'MESH_CHECKPOINTS'

/** Bucket of ordered handlers: how far each partition is and who has it, and which instances are there. */
export const PARTITION_BUCKET = 'MESH_PARTITIONS'

/** Bucket of handlers with an inbox: which messages they are done with. */
export const INBOX_BUCKET = 'MESH_INBOX'

/** Bucket of what services say that they handle and publish. */
export const CONTRACTS_BUCKET = 'MESH_CONTRACTS'

/** Bucket of notifiers: what people were told, and what they are still to be told. */
export const NOTIFICATION_BUCKET = 'NOTIFICATIONS'

const MIB = 1024 ** 2

/**
 * A contract's stream. It holds the done-markers of outputs it holds too, since only one stream can store both or neither.
 * It takes no schedules: NATS refuses them together with `discard: new`.
 */
export function eventStream(names: Names, def: StreamDef, replicas?: number): DesiredStream {
  return {
    kind: 'events',
    name: names.stream(def),
    owner: def.owner,
    revision: def.revision,
    replicas: def.replicas ?? replicas,
    metadata: { ...metadata('events', def.owner, def.revision), 'malha.partitions': String(def.partitions) },
    config: {
      ...base([...subjectsOf(names, def), names.doneMarkers(def)]),
      max_age: nanos(def.maxAgeMs),
      max_bytes: def.maxBytes,
      duplicate_window: nanos(def.duplicateWindowMs),
      allow_atomic: true,
    },
  }
}

/** The newest records are the useful ones, and a handler must never wait for a record: so `discard: old`. */
export function ownStream(names: Names, replicas?: number): DesiredStream {
  const events = eventStream(names, meshStream, replicas)
  return {
    ...events,
    kind: 'mesh',
    metadata: { ...events.metadata, 'malha.kind': 'mesh' },
    // No handler publishes there, so there are no markers.
    config: { ...events.config, subjects: subjectsOf(names, meshStream), discard: DiscardPolicy.Old },
  }
}

const subjectsOf = (names: Names, def: StreamDef): string[] => def.subjects.map((subject) => names.subject(subject))

/**
 * One letter a subject, a second copy refused for good. No age: a letter stays until someone deals with it. 1 GiB is
 * some 250 000 letters of 4 KiB; when it is full nothing is lost, because the mesh then retries the original, while
 * without a limit one bad release could fill the disk that all streams share.
 */
export function deadLetterStream(names: Names, replicas?: number): DesiredStream {
  return {
    ...system('dead-letters', names.stream('DEAD_LETTERS'), replicas),
    config: {
      ...base([names.subject('dlq.>')]),
      max_bytes: 1024 * MIB,
      max_msgs_per_subject: 1,
      discard_new_per_subject: true,
    },
  }
}

/**
 * What became of letters and of messages that runs sent, a record each. Made by whoever begins the first run. No age: it is
 * their history. When it is full runs wait, and nothing else does.
 */
export function operationsStream(names: Names, replicas?: number): DesiredStream {
  return {
    ...system('operations', names.operations(), replicas),
    config: { ...base(OPERATIONS_SUBJECTS.map((subject) => names.subject(subject))), max_bytes: 1024 * MIB },
  }
}

/**
 * Who did what. Made by whoever does something first. No age: that is asked years later, and not everybody has an archive.
 * 1 GiB is half a million acts; full, it refuses entries and with them acts, never forgets one. The server itself refuses to
 * delete or purge entries, whatever rights somebody has, and no entry can be given a time to live (ADR 29).
 */
export function auditLogStream(names: Names, replicas?: number): DesiredStream {
  const events = eventStream(names, auditStream, replicas)
  return {
    ...events,
    kind: 'audit',
    metadata: { ...events.metadata, 'malha.kind': 'audit' },
    config: {
      ...base(subjectsOf(names, auditStream)),
      max_bytes: 1024 * MIB,
      allow_msg_ttl: false,
      deny_delete: true,
      deny_purge: true,
    },
  }
}

/**
 * A service's retries. Workqueue: what is done is gone. Schedules refuse `discard: new`, and with `discard: old` a
 * limit would evict a waiting message, so there is none.
 */
export function laneStream(names: Names, service: string, replicas?: number): DesiredStream {
  return {
    ...system('lanes', names.lanes(service), replicas),
    config: {
      ...base([names.subject(`lane.${service}.>`)]),
      retention: RetentionPolicy.Workqueue,
      discard: DiscardPolicy.Old,
      allow_msg_schedules: true,
    },
  }
}

/**
 * What is published for later waits here, and is gone once it is in its own stream. No age and no size, for the reason
 * lanes have none. Roll-ups take back what waits.
 */
export function delayStream(names: Names, replicas?: number): DesiredStream {
  return {
    ...system('delays', names.delays(), replicas),
    config: {
      ...base([names.subject('delay.>')]),
      retention: RetentionPolicy.Workqueue,
      discard: DiscardPolicy.Old,
      allow_msg_schedules: true,
      allow_rollup_hdrs: true,
    },
  }
}

/** The stream under the bucket, made here so that owner, replicas and faults are those of all other streams. */
export function checkpointStream(names: Names, replicas?: number): DesiredStream {
  const bucket = names.bucket(CHECKPOINT_BUCKET)
  return {
    ...system('checkpoints', `KV_${bucket}`, replicas),
    config: {
      ...base([`$KV.${bucket}.>`]),
      max_bytes: 64 * MIB,
      max_msgs_per_subject: 1,
      allow_rollup_hdrs: true,
    },
  }
}

/** The stream under the bucket of ordered handlers. Their leases are keys with a time to live. */
export function partitionStream(names: Names, replicas?: number): DesiredStream {
  const bucket = names.bucket(PARTITION_BUCKET)
  return {
    ...system('partitions', `KV_${bucket}`, replicas),
    config: { ...base([`$KV.${bucket}.>`]), max_bytes: 256 * MIB, max_msgs_per_subject: 1, allow_rollup_hdrs: true },
  }
}

/** The stream under the bucket of what is said of handlers. Made by whoever says something first; a value is small, and one a handler. */
export function controlStream(names: Names, replicas?: number): DesiredStream {
  const bucket = names.bucket(HANDLERS)
  return {
    ...system('controls', `KV_${bucket}`, replicas),
    config: { ...base([`$KV.${bucket}.>`]), max_bytes: 16 * MIB, max_msgs_per_subject: 1, allow_rollup_hdrs: true },
  }
}

/** The stream under the bucket of inboxes. Each record has its own time to live; 1 GiB is some four million of them. */
export function inboxStream(names: Names, replicas?: number): DesiredStream {
  const bucket = names.bucket(INBOX_BUCKET)
  return {
    ...system('inbox', `KV_${bucket}`, replicas),
    config: { ...base([`$KV.${bucket}.>`]), max_bytes: 1024 * MIB, max_msgs_per_subject: 1, allow_rollup_hdrs: true },
  }
}

/** The stream under the bucket of contracts, a key a service. Nothing depends on it but those who look. */
export function contractsStream(names: Names, replicas?: number): DesiredStream {
  const bucket = names.bucket(CONTRACTS_BUCKET)
  return {
    ...system('contracts', `KV_${bucket}`, replicas),
    config: { ...base([`$KV.${bucket}.>`]), max_bytes: 64 * MIB, max_msgs_per_subject: 1, allow_rollup_hdrs: true },
  }
}

/** The stream under the bucket of notifiers. Made by the first of them; what was told has its own time to live. */
export function notificationStream(names: Names, replicas?: number): DesiredStream {
  const bucket = names.bucket(NOTIFICATION_BUCKET)
  return {
    ...system('notifications', `KV_${bucket}`, replicas),
    config: { ...base([`$KV.${bucket}.>`]), max_bytes: 64 * MIB, max_msgs_per_subject: 1, allow_rollup_hdrs: true },
  }
}

/** What all streams of the mesh have in common. */
export function base(subjects: string[]): DesiredConfig {
  return {
    subjects,
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_age: 0,
    max_bytes: -1,
    max_msgs: -1,
    max_msgs_per_subject: -1,
    max_consumers: MAX_CONSUMERS,
    duplicate_window: nanos(minutes(5)),
    allow_direct: true,
    allow_msg_ttl: true,
  }
}

export function system(kind: StreamKind, name: string, replicas: number | undefined): Omit<DesiredStream, 'config'> {
  return { kind, name, owner: SYSTEM_OWNER, revision: 1, replicas, metadata: metadata(kind, SYSTEM_OWNER, 1) }
}

function metadata(kind: StreamKind, owner: string, revision: number): Record<string, string> {
  return { 'malha.kind': kind, 'malha.owner': owner, 'malha.revision': String(revision), 'malha.format': FORMAT }
}
