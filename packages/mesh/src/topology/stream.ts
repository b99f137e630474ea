import { days, minutes } from '../durations.ts'
import { faultsError } from '../errors.ts'
import { isMatch, isWhole, isWithin, shown } from '../given.ts'

/** What a user says of a stream. Retention is always *limits*, storage *file*, `discard: new`: an event not yet handled is never evicted. */
export type StreamOptions = {
  /** Subjects without the namespace, e.g. `['center.>']`. Must hold the types of its contracts. */
  subjects: readonly string[]
  /** Age at which an event is removed, ms. @default 30 days */
  maxAgeMs?: number
  /** Size at which publishing is refused (MESH_STREAM_FULL), bytes. @default 1 GiB */
  maxBytes?: number
  /** How long the server remembers a `Nats-Msg-Id`, ms. @default 5 minutes */
  duplicateWindowMs?: number
  /** Into how many partitions keys are spread; fixed at creation. @default 16 */
  partitions?: number
  /** Replicas; overrides the connection's. Odd, 1 to 5. */
  replicas?: number
  /** Who may change this stream; another owner's stream is a start-up fault. @default 'malha' */
  owner?: string
  /** Grows with every change of these options: an older revision never overwrites a newer one. @default 1 */
  revision?: number
}

/** A stream as declared data, defaults filled in. */
export type StreamDef = {
  readonly kind: 'stream'
  readonly name: string
  readonly subjects: readonly string[]
  readonly maxAgeMs: number
  readonly maxBytes: number
  readonly duplicateWindowMs: number
  readonly partitions: number
  readonly replicas: number | undefined
  readonly owner: string
  readonly revision: number
}

/**
 * Declares a stream. `name` is upper case (`CENTERS`).
 * @throws MeshError MESH_INVALID_CONTRACT with every fault
 */
export function stream(name: string, options: StreamOptions): StreamDef {
  const given: Partial<StreamOptions> = options ?? {}
  const maxAgeMs = given.maxAgeMs ?? days(30)
  const windowMs = given.duplicateWindowMs ?? minutes(5)
  const def: StreamDef = {
    kind: 'stream',
    name,
    subjects: Array.isArray(given.subjects) ? [...(given.subjects as readonly string[])] : [],
    maxAgeMs,
    maxBytes: given.maxBytes ?? 1024 ** 3,
    duplicateWindowMs: isWithin(maxAgeMs, 0) && isWithin(windowMs, maxAgeMs) ? maxAgeMs : windowMs,
    partitions: given.partitions ?? 16,
    replicas: given.replicas,
    owner: given.owner ?? 'malha',
    revision: given.revision ?? 1,
  }
  const faults = streamFaults(def)
  if (faults.length > 0) throw faultsError('MESH_INVALID_CONTRACT', `stream ${shown(name)}`, faults)
  return Object.freeze(def)
}

function streamFaults(def: StreamDef): string[] {
  const faults: string[] = []
  if (!isMatch(def.name, /^[A-Z][A-Z0-9-]{0,63}$/))
    faults.push('the name takes A-Z, 0-9 and -, 64 characters at most, e.g. CENTERS')
  if (def.subjects.length === 0) faults.push('it needs at least one subject')
  for (const subject of def.subjects) {
    if (!isMatch(subject, /^[a-z0-9-]+(\.([a-z0-9-]+|\*))*(\.>)?$/))
      faults.push(`subject ${shown(subject)}: tokens of a-z, 0-9 and -, or *, or a final >, the first one plain`)
  }
  if (!isWithin(def.maxAgeMs, 1000))
    faults.push(`maxAgeMs is ${shown(def.maxAgeMs)}; at least 1000 (an endless stream hides its limit)`)
  if (!isWhole(def.maxBytes, 64 * 1024)) faults.push(`maxBytes is ${shown(def.maxBytes)}; at least 65536`)
  if (!isWithin(def.duplicateWindowMs, 100))
    faults.push(`duplicateWindowMs is ${shown(def.duplicateWindowMs)}; at least 100`)
  if (!isWhole(def.partitions, 1, 256)) faults.push(`partitions is ${shown(def.partitions)}; 1 to 256`)
  if (def.replicas !== undefined && ![1, 3, 5].includes(def.replicas))
    faults.push(`replicas is ${shown(def.replicas)}; 1, 3 or 5`)
  if (!isMatch(def.owner, /^[a-z0-9-]{1,64}$/)) faults.push(`owner ${shown(def.owner)}: a-z, 0-9 and -`)
  if (!isWhole(def.revision, 1)) faults.push(`revision is ${shown(def.revision)}; a whole number from 1`)
  return faults
}
