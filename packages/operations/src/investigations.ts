import type { ClickHouseOptions } from '@malha/archive'
import type { Mesh } from '@malha/mesh'
import { OperationsError } from './errors.ts'
import { follow, type Journey } from './journey/journey.ts'
import type { Sources } from './journey/look-up.ts'
import { catchUp } from './letters/follow.ts'
import type { LetterIndex } from './letters/letter-index.ts'
import { type StreamView, streamViews } from './streams/streams.ts'
import { type Tail, tailEvents, type TailFilter } from './streams/tail.ts'
import type { Sensitivity } from './redaction/sensitivity.ts'
import { readTopology } from './why/topology.ts'
import { type Answer, explain } from './why/why.ts'

export type LookOptions = {
  /** Messages looked at, at most, where no index knows what is asked for. @default 200_000; with an archive 10_000 */
  scan?: number | undefined
  /** Told how many were looked at, and how many there are. */
  onScan?: ((looked: number, total: number) => void) | undefined
}

/** Finds out what is there and what happened. Nothing on the server changes. */
export interface Investigations {
  /** Every stream of the mesh. @throws OperationsError OPERATIONS_UNREADABLE */
  streams(): Promise<StreamView[]>
  /** Events from now on. @throws OperationsError OPERATIONS_INVALID_OPTIONS; while they are taken OPERATIONS_UNREADABLE */
  tail(filter?: TailFilter): Promise<Tail>
  /**
   * All that a message led to, by its id, a correlation id, a trace id or a key.
   * @throws OperationsError OPERATIONS_INVALID_OPTIONS | OPERATIONS_UNREADABLE
   */
  journey(asked: string, options?: LookOptions): Promise<Journey>
  /** Why a message is not done, or what became of it: by its id, or of a key the last and those in trouble. @throws as `journey` */
  why(asked: string, options?: LookOptions): Promise<Answer>
}

type Place = {
  readonly mesh: Mesh
  readonly index: LetterIndex
  readonly archive: ClickHouseOptions | undefined
  readonly traces: string | undefined
  readonly sensitivity: () => Promise<Sensitivity>
}

const SCAN = 200_000
/** What the archive does not have yet is among the newest. */
const SCAN_BESIDE_ARCHIVE = 10_000
/** A key takes 128 bytes, an id as many characters. */
const LONGEST = 256

export function investigationsOf({ mesh, index, archive, traces, sensitivity }: Place): Investigations {
  const sourcesFor = async (asked: string, options: LookOptions): Promise<Sources> => {
    const { scan = archive ? SCAN_BESIDE_ARCHIVE : SCAN, onScan } = options
    check(asked, scan)
    const topology = await readTopology(mesh)
    if (topology.streams.some(({ kind }) => kind === 'dead-letters')) await catchUp(mesh, index)
    return { mesh, index, archive, traces, topology, scan, onScan, missing: [] }
  }
  return {
    streams: () => streamViews(mesh),
    tail: (filter) => tailEvents(mesh, sensitivity, filter),
    journey: async (asked, options = {}) => await follow(await sourcesFor(asked, options), asked),
    why: async (asked, options = {}) => await explain(await sourcesFor(asked, options), asked),
  }
}

function check(asked: string, scan: number): void {
  const faults = [
    ...(asked.trim() === '' || asked.length > LONGEST ? [`what is asked for has 1 to ${LONGEST} characters`] : []),
    ...(Number.isSafeInteger(scan) && scan >= 0 ? [] : [`scan is ${scan}; a whole number of messages`]),
  ]
  if (faults.length > 0) throw new OperationsError('OPERATIONS_INVALID_OPTIONS', faults.join('; '))
}
