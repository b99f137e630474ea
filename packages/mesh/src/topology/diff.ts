import type { StreamConfig, StreamUpdateConfig } from '@nats-io/jetstream'
import { millis } from '@nats-io/transport-node'
import { contains } from './subject-overlap.ts'
import { type DesiredStream, FORMAT } from './system.ts'

/**
 * What to do about a stream that exists. `notes` are sentences for the log: differences left as they are.
 * `changes` are the settings to update, `describe` the same for a reader.
 */
export type StreamDiff =
  | { readonly kind: 'same'; readonly notes: readonly string[] }
  | {
      readonly kind: 'update'
      readonly changes: Partial<StreamUpdateConfig>
      readonly describe: string
      readonly notes: readonly string[]
    }
  | { readonly kind: 'faults'; readonly faults: readonly string[] }

/** What the mesh relies on; no size and no reader's choice, so any revision that is not older sets them. */
const SEMANTIC = [
  'discard',
  'discard_new_per_subject',
  'max_msgs',
  'max_msgs_per_subject',
  'allow_direct',
  'allow_msg_ttl',
  'allow_atomic',
  'allow_msg_schedules',
  'allow_rollup_hdrs',
  'deny_delete',
  'deny_purge',
] as const

/** Sizes: growing is harmless, shrinking evicts or refuses messages. 0 and -1 mean without limit. */
const LIMITS = ['max_age', 'max_bytes', 'max_consumers', 'duplicate_window'] as const

const NANOS = new Set<string>(['max_age', 'duplicate_window'])

/**
 * Compares a stream with its declaration. Pure.
 *
 * An older declaration never changes a stream, a newer one may change all that can be changed. At the same revision a
 * declaration may only widen: two releases that say the same revision but different things would otherwise take turns.
 */
export function diffStream(desired: DesiredStream, existing: StreamConfig): StreamDiff {
  const faults = immutableFaults(desired, existing)
  if (faults.length > 0) return { kind: 'faults', faults }
  const have = revisionOf(existing)
  if (have > desired.revision)
    return {
      kind: 'same',
      notes: [`it is at revision ${have}, this declaration at ${desired.revision}: used as it is`],
    }
  return changesOf(desired, existing, have < desired.revision)
}

function changesOf(desired: DesiredStream, existing: StreamConfig, newer: boolean): StreamDiff {
  const want = desired.config
  const changes: Record<string, unknown> = {}
  const narrower: string[] = []
  const say: string[] = []
  const change = (field: string, from: string, to: string, value: unknown): void => {
    changes[field] = value
    say.push(`${field} ${from} → ${to}`)
  }
  for (const field of SEMANTIC) {
    const value = want[field]
    const have = existing[field] ?? (typeof value === 'boolean' ? false : undefined)
    if (value !== undefined && have !== value) change(field, String(have), String(value), value)
  }
  for (const field of LIMITS) {
    const [have, value] = [existing[field], want[field]]
    if (unlimited(have) === unlimited(value)) continue
    const [from, to] = [show(field, have), show(field, value)]
    if (newer || unlimited(value) > unlimited(have)) change(field, from, to, value)
    else narrower.push(`${field} is ${from} on the server and ${to} in the declaration`)
  }
  const subjects = [...new Set([...want.subjects, ...existing.subjects.filter(isLibrarys)])]
  const dropped = existing.subjects.filter((subject) => !subjects.some((wider) => contains(wider, subject)))
  if (dropped.length > 0 && !newer) narrower.push(`subjects ${dropped.join(', ')} are on the server only`)
  else if (!sameSet(existing.subjects, subjects))
    change('subjects', existing.subjects.join(', '), subjects.join(', '), subjects)
  replicasChange(desired, existing, newer, change)
  return verdict(desired, existing, { changes, say, narrower })
}

type Found = { changes: Record<string, unknown>; say: string[]; narrower: string[] }

function verdict(desired: DesiredStream, existing: StreamConfig, found: Found): StreamDiff {
  const { changes, say, narrower } = found
  if (narrower.length > 0 && desired.kind === 'events') {
    const next = `raise its revision above ${desired.revision} to make it smaller, or declare what the server has`
    return { kind: 'faults', faults: narrower.map((one) => `${one}, both at revision ${desired.revision}; ${next}`) }
  }
  // An operator who gave the dead letters more room must not lose it at the next start.
  const notes = narrower.map((one) => `${one}: left as it is`)
  const lacks = Object.entries(desired.metadata).filter(([key, value]) => existing.metadata?.[key] !== value)
  if (lacks.length > 0) {
    changes['metadata'] = { ...existing.metadata, ...desired.metadata }
    say.push(...lacks.map(([key, value]) => `${key} ${existing.metadata?.[key] ?? 'unset'} → ${value}`))
  }
  if (Object.keys(changes).length === 0) return { kind: 'same', notes }
  return { kind: 'update', changes, describe: say.join('; '), notes }
}

/** Raised at any time, lowered only by a new revision: processes with different settings must not take turns. */
function replicasChange(
  desired: DesiredStream,
  existing: StreamConfig,
  newer: boolean,
  change: (field: string, from: string, to: string, value: unknown) => void,
): void {
  const { replicas } = desired
  const have = existing.num_replicas
  if (replicas !== undefined && (replicas > have || (newer && replicas < have)))
    change('num_replicas', String(have), String(replicas), replicas)
}

function immutableFaults(desired: DesiredStream, existing: StreamConfig): string[] {
  const { owner, format, partitions } = tags(existing)
  if (owner === undefined)
    return ['it exists and is not the mesh’s (no malha.owner in its metadata); rename one of the two streams']
  if (owner !== desired.owner)
    return [
      `it belongs to ${JSON.stringify(owner)}, this declaration to ${JSON.stringify(desired.owner)}; use the owner’s declaration, or another name`,
    ]
  if (Number(format) > Number(FORMAT))
    return [`it has format ${format}, made by a newer release of the library, which this one does not know; upgrade`]
  if (existing.mirror !== undefined)
    return [
      `it mirrors ${existing.mirror.name}, and a mirror takes nothing of its own, done-markers neither; source that stream into this one instead`,
    ]
  const faults: string[] = []
  const fixed = (what: string, have: unknown, want: unknown): void => {
    if (have !== want)
      faults.push(
        `${what} is ${String(have)} and cannot become ${String(want)}; declare ${String(have)}, or a stream of another name`,
      )
  }
  fixed('retention', existing.retention, desired.config.retention)
  fixed('storage', existing.storage, desired.config.storage)
  const want = desired.metadata['malha.partitions']
  if (want !== undefined && partitions !== undefined) fixed('the number of partitions', partitions, want)
  return faults
}

function tags(config: StreamConfig): { owner?: string; format?: string; partitions?: string } {
  const { 'malha.owner': owner, 'malha.format': format, 'malha.partitions': partitions } = config.metadata ?? {}
  return {
    ...(owner === undefined ? {} : { owner }),
    ...(format === undefined ? {} : { format }),
    ...(partitions === undefined ? {} : { partitions }),
  }
}

/** Of the library, not of a contract: another release beside this one may need it. */
function isLibrarys(subject: string): boolean {
  return subject.split('.').some((token) => token.startsWith('_'))
}

function revisionOf(config: StreamConfig): number {
  const revision = Number(config.metadata?.['malha.revision'])
  return Number.isSafeInteger(revision) ? revision : 0
}

function unlimited(value: number | undefined): number {
  return value === undefined || value <= 0 ? Infinity : value
}

function show(field: string, value: number | undefined): string {
  if (unlimited(value) === Infinity) return 'without limit'
  return NANOS.has(field) ? `${millis(value ?? 0)} ms` : String(value)
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one) => b.includes(one))
}
