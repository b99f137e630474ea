import {
  type AttemptFailed,
  attemptFailed,
  type DirectMessage,
  keyToken,
  LANE_HEADER,
  LETTER_HEADER,
  type Mesh,
  type OperationRecord,
  partitionOf,
} from '@malha/mesh'
import { jsonOf } from '../read/direct-message.ts'
import { type FoundEvent, tailOf } from '../journey/found-event.ts'
import type { LetterState } from '../letters/letter.ts'
import { readLetter } from '../letters/letter.ts'
import { lastOf, nextOf } from '../read/direct.ts'
import type { MeshStream } from '../streams/mesh-streams.ts'
import type { LetterFact } from './facts.ts'
import { readRuns, type RunHop } from './run-records.ts'
import type { Topology } from './topology.ts'

/** By a name of what it is about. */
export type By<T> = ReadonlyMap<string, T>

/** What was written down about events, by `<service>/<handler> <tail of the event>`. */
export type Written = {
  readonly letters: By<LetterFact>
  readonly waiting: By<Waiting>
  /** Copies of runs that wait for another attempt. */
  readonly waitingInRun: By<Waiting & { run: string }>
  readonly doneAt: By<string>
  /** How often, and with what result, runs sent it again; the oldest first. */
  readonly runs: By<readonly RunHop[]>
}

/** A copy on a handler's lane; `dueAt` RFC 3339. */
export type Waiting = { readonly dueAt: string; readonly attempts: number }

const streamOf = ({ streams }: Topology, kind: string): MeshStream | undefined =>
  streams.find((each) => each.kind === kind)

/** Records of failed attempts are keyed like what they are about: by its key, or its id where it has none. */
export async function attemptsOf(
  mesh: Mesh,
  topology: Topology,
  keysOrIds: Iterable<string>,
): Promise<AttemptFailed[]> {
  const stream = streamOf(topology, 'mesh')
  if (!stream) return []
  const partitions = Number(stream.info.config.metadata?.['malha.partitions'] ?? 16)
  const found: AttemptFailed[] = []
  await Promise.all(
    [...new Set(keysOrIds)].map(async (text) => {
      const token = tokenOf(text)
      if (token === undefined) return
      const subject = mesh.names.subject(`${attemptFailed.type}.${partitionOf(token, partitions)}.${token}`)
      for (const message of await nextOf(mesh, stream.name, { subject, most: 1000 }))
        found.push(jsonOf(message) as AttemptFailed)
    }),
  )
  return found.toSorted((a, b) => (a.at < b.at ? -1 : 1))
}

/** Undefined for what can be no key. */
export function tokenOf(key: string): string | undefined {
  try {
    return keyToken(key)
  } catch {
    return undefined
  }
}

/** Letters, copies on lanes and what says that a handler is done, of some events. */
export async function readWritten(mesh: Mesh, topology: Topology, events: readonly FoundEvent[]): Promise<Written> {
  const tails = events.map((event) => tailOf(mesh, event))
  const runs = readRuns(mesh, topology, tails)
  const [letters, waits, doneAt, { hops }] = await Promise.all([
    lettersOf(mesh, topology, { tails, records: runs.then(({ ofLetters }) => ofLetters) }),
    waitingOf(mesh, topology, tails),
    doneOf(mesh, topology, events),
    runs,
  ])
  return { letters, ...waits, doneAt, runs: hops }
}

async function lettersOf(
  mesh: Mesh,
  topology: Topology,
  { tails, records: reading }: { tails: readonly string[]; records: Promise<readonly DirectMessage[]> },
): Promise<By<LetterFact>> {
  const stream = streamOf(topology, 'dead-letters')
  const [stored, records] = await Promise.all([
    stream
      ? lastOf(
          mesh,
          stream.name,
          tails.map((tail) => mesh.names.subject(`dlq.*.${tail}`)),
        )
      : [],
    reading,
  ])
  const recordOf = new Map(records.map((each) => [each.subject, jsonOf(each) as OperationRecord]))
  return new Map(
    stored.map((message): [string, LetterFact] => {
      const { seq, subject, timestamp: time, data } = message
      const headers = message.headers.record()
      const letter = readLetter(mesh.names, { seq, subject, time, headers, payloadBytes: data.length })
      const record = recordOf.get(mesh.names.letterRecord(letter.subject))
      const tail = letter.subject.split('.').slice(2).join('.')
      const whose = `${headers[LETTER_HEADER.service]}/${headers[LETTER_HEADER.handler]}`
      return [`${whose} ${tail}`, { seq, code: letter.code, reason: letter.reason, at: letter.at, ...standing(record) }]
    }),
  )
}

type Standing = Pick<LetterFact, 'state' | 'changedAt' | 'run' | 'who' | 'why'>

const STATES: Readonly<Record<OperationRecord['kind'], LetterState>> = {
  claimed: 'redriven',
  ok: 'resolved',
  failed: 'open',
  gone: 'open',
  edited: 'open',
  discarded: 'discarded',
  reopened: 'open',
  late: 'late',
}

function standing(record: OperationRecord | undefined): Standing {
  if (!record) return { state: 'open', changedAt: undefined, run: undefined, who: undefined, why: undefined }
  return {
    state: STATES[record.kind],
    changedAt: record.at,
    run: 'run' in record ? record.run : undefined,
    who: 'who' in record ? record.who : undefined,
    why: 'reason' in record ? record.reason : undefined,
  }
}

async function waitingOf(
  mesh: Mesh,
  { streams }: Topology,
  tails: readonly string[],
): Promise<Pick<Written, 'waiting' | 'waitingInRun'>> {
  const waiting = new Map<string, Waiting>()
  const waitingInRun = new Map<string, Waiting & { run: string }>()
  const lanes = streams.filter(({ kind }) => kind === 'lanes')
  await Promise.all(
    lanes.map(async ({ name, info }) => {
      const [lane = ''] = info.config.subjects
      const root = `${lane.slice(0, -1)}*.at`
      const patterns = tails.flatMap((tail) => [`${root}.${tail}`, `${root}.${tail}.*`])
      for (const message of await lastOf(mesh, name, patterns)) {
        const [, service, handler, , stream, epoch, place, run] = mesh.names.strip(message.subject).split('.')
        const headers = message.headers.record()
        const dueAt = /^@at (.+)$/.exec(headers['nats-schedule'] ?? '')?.[1]
        if (dueAt === undefined) continue
        const about = `${service}/${handler} ${stream}.${epoch}.${place}`
        const copy = { dueAt, attempts: Number(headers[LANE_HEADER.attempts]) || 0 }
        if (run === undefined) waiting.set(about, copy)
        else waitingInRun.set(about, { ...copy, run })
      }
    }),
  )
  return { waiting, waitingInRun }
}

/** Handlers with `effects: 'once'` leave a marker beside their outputs, those with an inbox a record. */
async function doneOf(mesh: Mesh, { streams }: Topology, events: readonly FoundEvent[]): Promise<By<string>> {
  const found = new Map<string, string>()
  const tails = new Map(events.flatMap((event) => (event.id ? [[textToken(event.id), tailOf(mesh, event)]] : [])))
  const holders = streams.filter(({ kind }) => kind === 'events' || kind === 'inbox')
  await Promise.all(
    holders.map(async ({ kind, name, info }) => {
      const root =
        kind === 'inbox'
          ? (info.config.subjects[0] ?? '').slice(0, -2)
          : mesh.names.doneMarkers(bare(mesh, name)).slice(0, -2)
      const patterns = [...tails.keys()].map((token) => `${root}.*.*.${token}`)
      for (const { subject, timestamp } of await lastOf(mesh, name, patterns)) {
        const [service, handler, token] = subject.slice(root.length + 1).split('.')
        const tail = tails.get(token ?? '')
        if (tail !== undefined) found.set(`${service}/${handler} ${tail}`, timestamp)
      }
    }),
  )
  return found
}

/** Ids are made tokens as keys are, and may be longer. */
const textToken = (text: string): string =>
  /^[A-Za-z0-9_-]+$/.test(text) ? text : `=${Buffer.from(text).toString('base64url')}`

const bare = ({ names }: Mesh, stream: string): string =>
  names.namespace === '' ? stream : stream.slice(names.namespace.length + 1)
