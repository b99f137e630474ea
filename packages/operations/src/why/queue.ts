/** What is due on the lanes of handlers. */
import { type AttemptFailed, LANE_HEADER, type Mesh, RUN_HEADER } from '@malha/mesh'
import { type FoundEvent, tailOf } from '../journey/found-event.ts'
import { lastOf, nextOf } from '../read/direct.ts'
import type { RunFact } from './facts.ts'
import type { Waiting } from './records.ts'
import type { RunHop } from './run-records.ts'
import { nameOf, type PlacedHandler } from './topology.ts'

/** Whose a copy is: of the run that sent it, or of no run. */
type Copy = { readonly ofRun: Pick<RunHop, 'run' | 'kind'> | undefined }
type Queue = ReadonlyMap<string, readonly Copy[]>

/** Due messages of a lane that are looked at. What is acked is gone from there. */
const MOST_QUEUED = 2000

/** Copies of an event that are due on its handler's lane. Each lane is read once. */
export function queues(
  mesh: Mesh,
): (handler: PlacedHandler, of: { tail: string; attempts: readonly AttemptFailed[] }) => Promise<readonly Copy[]> {
  const read = new Map<string, Promise<Queue>>()
  return async (handler, { tail, attempts }) => {
    const { lane } = handler
    if (handler.isOrdered) {
      const sent = `${mesh.names.laneOfKeys(handler.service, handler.handler)}*.${tail}.*`
      const messages = await lastOf(mesh, lane.stream_name, [sent])
      return messages.map(({ headers }) => ({ ofRun: runOf(mesh, headers.record()) }))
    }
    const due = lane.num_pending + lane.num_ack_pending
    if (due === 0) return []
    const name = nameOf(handler)
    const subject = mesh.names.laneTarget(handler.service, handler.handler)
    const all = read.get(name) ?? readQueue(mesh, lane.stream_name, subject)
    read.set(name, all)
    const found = (await all).get(tail)
    // Behind so many that it was not looked at: a success leaves no record, so the last failure counts.
    const mayBeBehind = due > MOST_QUEUED && attempts.at(-1)?.outcome === 'retry'
    return found ?? (mayBeBehind ? [{ ofRun: undefined }] : [])
  }
}

async function readQueue(mesh: Mesh, stream: string, subject: string): Promise<Queue> {
  const copies = new Map<string, Copy[]>()
  for (const message of await nextOf(mesh, stream, { subject, most: MOST_QUEUED })) {
    const headers = message.headers.record()
    const tail = originOf(mesh, headers)
    copies.set(tail, [...(copies.get(tail) ?? []), { ofRun: runOf(mesh, headers) }])
  }
  return copies
}

function runOf({ names }: Mesh, headers: Readonly<Record<string, string>>): Copy['ofRun'] {
  const run = headers[RUN_HEADER.run]
  const isLetter = headers[RUN_HEADER.record]?.startsWith(names.letterRecords())
  return run === undefined ? undefined : { run, kind: isLetter ? 'redrive' : 'replay' }
}

/** Pure. Of several runs the one whose message is in hand, or waits for another attempt, comes before one that is to begin. */
export function inRun(known: {
  runs: readonly RunHop[]
  copies: readonly Copy[]
  waiting: (Waiting & { run: string }) | undefined
}): RunFact | undefined {
  const { runs, copies, waiting } = known
  const begun = runs.findLast(({ result }) => result === 'under-way')
  if (begun) {
    const { run, kind, at } = begun
    return { run, kind, begunAt: at, waiting: waiting?.run === run ? waiting : undefined }
  }
  // A copy of what has its result is passed over when its turn comes.
  const sent = copies.find(({ ofRun }) => ofRun && !runs.some(({ run }) => run === ofRun.run))?.ofRun
  return sent && { ...sent, begunAt: undefined, waiting: undefined }
}

/** The tail of the names of what is about the event that a copy is of. */
function originOf(mesh: Mesh, headers: Readonly<Record<string, string>>): string {
  const text = (name: string): string => headers[name] ?? ''
  const [stream, storedNs] = [text(LANE_HEADER.stream), text(LANE_HEADER.storedAt)]
  const [epoch, seq] = [Number(text(LANE_HEADER.epoch)), Number(text(LANE_HEADER.seq))]
  return tailOf(mesh, { stream, epoch, seq, storedNs } as FoundEvent)
}
