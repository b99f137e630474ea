/** What runs did with events: of each message that one sent, the records about it. */
import type { DirectMessage, Mesh, OperationRecord } from '@malha/mesh'
import { jsonOf } from '../read/direct-message.ts'
import { lastOf, nextOf } from '../read/direct.ts'
import { nameOf, type Topology } from './topology.ts'

/** An event sent to a handler again. */
export type RunHop = {
  readonly run: string
  readonly kind: 'redrive' | 'replay'
  /** When its handler began with it, or it was found gone; RFC 3339. */
  readonly at: string
  /** `already`: it was done before, as the handler's inbox or its outputs say. `gone`: nothing was left to send. */
  readonly result: 'under-way' | 'ok' | 'already' | 'failed' | 'gone'
  readonly endedAt: string | undefined
  /** Begun in this run; undefined while it is under way. */
  readonly attempts: number | undefined
  /** Of one that failed again. */
  readonly code: string | undefined
  readonly message: string | undefined
  /** The trace that it has for itself; undefined where it has none. */
  readonly traceId: string | undefined
  /** `ce-id` of the new message that the run made of it; undefined where it was sent as it is. */
  readonly copyId: string | undefined
}

/** By `<service>/<handler> <tail of the event>`. */
export type RunRecords = {
  /** The latest record about each letter, as it is stored. */
  readonly ofLetters: readonly DirectMessage[]
  /** The oldest first. */
  readonly hops: ReadonlyMap<string, readonly RunHop[]>
}

/** Records of one message that are read at most. */
const MOST = 200

/** `tails` as `tailOf` gives them. Nothing on the server changes. */
export async function readRuns(mesh: Mesh, topology: Topology, tails: readonly string[]): Promise<RunRecords> {
  const { names } = mesh
  const operations = topology.streams.find(({ kind }) => kind === 'operations')
  if (!operations) return { ofLetters: [], hops: new Map() }
  const lastAt = (root: string): Promise<DirectMessage[]> =>
    lastOf(
      mesh,
      operations.name,
      tails.map((tail) => names.subject(`${root}.${tail}`)),
    )
  const [ofLetters, ofReplays] = await Promise.all([lastAt('ops.letter.*'), lastAt('ops.run.*.*')])
  const whose = new Map(
    topology.handlers.map((each) => [names.durable(each.service, each.handler), nameOf(each)] as const),
  )
  const hops = new Map<string, RunHop[]>()
  await Promise.all(
    [...ofLetters, ...ofReplays].map(async ({ subject }) => {
      const [, kind, durable = '', ...rest] = names.strip(subject).split('.')
      const about = `${whose.get(durable) ?? durable} ${rest.slice(-3).join('.')}`
      const records = await nextOf(mesh, operations.name, { subject, most: MOST })
      const read = hopsIn(
        kind === 'letter' ? 'redrive' : 'replay',
        records.map((record) => jsonOf(record) as OperationRecord),
      )
      hops.set(about, [...(hops.get(about) ?? []), ...read])
    }),
  )
  for (const each of hops.values()) each.sort((a, b) => (a.at < b.at ? -1 : 1))
  return { ofLetters, hops }
}

const UNKNOWN = {
  endedAt: undefined,
  attempts: undefined,
  code: undefined,
  message: undefined,
  traceId: undefined,
  copyId: undefined,
}

/** Pure: of the records about one message, the oldest first. */
export function hopsIn(kind: RunHop['kind'], records: readonly OperationRecord[]): RunHop[] {
  const hops: RunHop[] = []
  for (const record of records) {
    const { at } = record
    if (record.kind === 'gone') hops.push({ ...UNKNOWN, kind, run: record.run, at, result: 'gone', endedAt: at })
    if (record.kind === 'claimed')
      hops.push({
        ...UNKNOWN,
        kind,
        run: record.run,
        at,
        result: 'under-way',
        traceId: record.trace,
        copyId: record.as,
      })
    if (record.kind !== 'ok' && record.kind !== 'failed') continue
    const { run, attempts } = record
    const begun = hops.findLastIndex((hop) => hop.run === run)
    const ended = {
      ...(hops[begun] ?? { ...UNKNOWN, kind, run, at }),
      endedAt: at,
      attempts,
      ...(record.kind === 'failed'
        ? { result: 'failed' as const, code: record.code, message: record.message }
        : { result: record.already ? ('already' as const) : ('ok' as const) }),
    }
    hops.splice(begun === -1 ? hops.length : begun, 1, ended)
  }
  return hops
}
