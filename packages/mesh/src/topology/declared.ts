import { ADVISORIES, DELAYS, type Names, OPERATIONS } from './names.ts'
import type { StreamDef } from './stream.ts'
import { overlap } from './subject-overlap.ts'
import {
  auditStream,
  checkpointStream,
  deadLetterStream,
  delayStream,
  type DesiredStream,
  eventStream,
  inboxStream,
  laneStream,
  meshStream,
  OPERATIONS_SUBJECTS,
  ownStream,
  partitionStream,
} from './system.ts'

/** First tokens of the mesh's own subjects: no contract's stream may hold them. */
const RESERVED = ['mesh', 'dlq', 'lane', 'delay', 'request']

/** Words that events may begin with, too: the mesh has only these below them. */
const SHARED = [...auditStream.subjects, ...OPERATIONS_SUBJECTS]

/** Streams of the mesh's own that a contract's could be called like; the others have a `_`, which no contract's has. */
const RESERVED_NAMES = [meshStream.name, auditStream.name, DELAYS, OPERATIONS, ADVISORIES]

/**
 * Every stream a service needs, as it should be, and what is wrong with them among themselves. Pure.
 * The same declaration may come several times, by several contracts.
 */
export function declared(
  names: Names,
  options: {
    streams: readonly StreamDef[]
    lanesFor?: string
    ordered?: boolean
    inbox?: boolean
    replicas?: number | undefined
  },
): { desired: DesiredStream[]; faults: string[] } {
  const { replicas, lanesFor } = options
  const faults: string[] = []
  const events = new Map<string, StreamDef>()
  for (const def of options.streams) {
    if (same(def, meshStream)) continue
    const known = events.get(def.name)
    if (known === undefined || (same(known, def) && known !== def)) events.set(def.name, def)
    else if (known !== def)
      faults.push(`stream ${def.name}: it is declared twice and differently; keep one declaration and import it`)
  }
  const contracts = [...events.values()]
  for (const def of contracts) faults.push(...reservedFaults(def))
  const desired = [
    ...contracts.map((def) => eventStream(names, def, replicas)),
    ownStream(names, replicas),
    deadLetterStream(names, replicas),
    delayStream(names, replicas),
    checkpointStream(names, replicas),
    ...(options.ordered === true ? [partitionStream(names, replicas)] : []),
    ...(options.inbox === true ? [inboxStream(names, replicas)] : []),
    ...(lanesFor === undefined ? [] : [laneStream(names, lanesFor, replicas)]),
  ]
  if (faults.length === 0) faults.push(...overlapFaults(desired))
  return { desired, faults }
}

function same(a: StreamDef, b: StreamDef): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function reservedFaults(def: StreamDef): string[] {
  if (RESERVED_NAMES.includes(def.name))
    return [`stream ${def.name}: the mesh keeps this name for itself; take another`]
  return def.subjects.flatMap((subject) => {
    const about = `stream ${def.name}: subject ${subject}`
    if (RESERVED.includes(subject.split('.')[0] ?? ''))
      return [`${about} is the mesh’s own; no contract may begin with ${RESERVED.join('., ')}.`]
    const shared = SHARED.filter((own) => overlap(own, subject))
    return shared.length > 0
      ? [`${about} holds ${shared.join(' and ')}, which is the mesh’s own; name yours one by one`]
      : []
  })
}

/** A subject in two streams: NATS stores an event in one only, so it refuses the second stream. */
function overlapFaults(desired: readonly DesiredStream[]): string[] {
  const faults: string[] = []
  for (const [index, one] of desired.entries())
    for (const other of desired.slice(index))
      for (const [place, a] of one.config.subjects.entries())
        for (const [otherPlace, b] of other.config.subjects.entries())
          if ((one !== other || place < otherPlace) && overlap(a, b))
            faults.push(`streams ${one.name} and ${other.name}: subjects ${a} and ${b} overlap; narrow one of them`)
  return faults
}
