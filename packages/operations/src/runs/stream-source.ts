/** The events of a replay that their stream still has, and where it stands what became of each. */
import { decodeAttribute, type DirectMessage, HEADER, type Mesh, nanosOf } from '@malha/mesh'
import { OperationsError } from '../errors.ts'
import { asStored } from '../read/direct-message.ts'
import { readBatch, type StreamNow, streamNow } from '../read/read-on.ts'
import { type Event, followReplay, type ReplayRun, turnOf } from './replayed.ts'
import type { ReplaySlice } from './run.ts'
import { filtersOf, isWithin } from './slice.ts'
import type { Counted, RunSource, Slice } from './source.ts'

export class StreamSource implements RunSource {
  readonly #mesh: Mesh
  readonly #run: ReplayRun

  constructor(mesh: Mesh, run: ReplayRun) {
    this.#mesh = mesh
    this.#run = run
  }

  /** Nothing to learn: what was sent stands in the records, and each message has one of its own. */
  async reopen(): Promise<void> {}

  async next(after: number, limit: number): Promise<Slice> {
    const { from, upTo } = this.#run
    const { events, until } = await readSlice(this.#mesh, from, { after, upTo, limit })
    return { turns: events.map((event) => turnOf(this.#mesh, this.#run, event)), until }
  }

  follow(after: number, onBatch: (counted: readonly Counted[], until: number) => void): Promise<void> {
    return followReplay(this.#mesh, this.#run, after, onBatch)
  }
}

type Bounds = { after: number; upTo: number; limit: number }

/**
 * The next events of a slice; there are no others up to `until`.
 * @throws OperationsError OPERATIONS_SLICE_GONE when the stream was made anew, or removed
 */
export async function readSlice(
  mesh: Mesh,
  slice: ReplaySlice,
  { after, upTo, limit }: Bounds,
): Promise<{ events: Event[]; until: number }> {
  const now = await sameStream(mesh, slice)
  const parts = await Promise.all(
    filtersOf(mesh, slice, now).map((filter) =>
      readBatch(mesh, now, { after, upTo, filter, limit }, (message) => eventOf(slice, message)),
    ),
  )
  // What was read is of the stream that there was before and is after it.
  await sameStream(mesh, slice)
  const until = Math.min(...parts.map((part) => part.until))
  const found = parts.flatMap((part) => part.messages).filter(({ place: { seq } }) => seq <= until && seq <= upTo)
  return {
    events: found.sort((a, b) => a.place.seq - b.place.seq).filter((event) => isWithin(slice, event)),
    until,
  }
}

async function sameStream(mesh: Mesh, { stream, epoch }: ReplaySlice): Promise<StreamNow> {
  const now = await streamNow(mesh, stream)
  if (now?.epoch === epoch) return now
  throw new OperationsError(
    'OPERATIONS_SLICE_GONE',
    `stream ${stream} was ${now ? 'made anew' : 'removed'}: its events are in the archive at most, as those of epoch ${epoch}`,
  )
}

function eventOf({ stream, epoch }: ReplaySlice, message: DirectMessage): Event {
  const { seq, subject, time, headers, pairs, payload } = asStored(message)
  const text = (name: string): string | undefined => (headers[name] ? decodeAttribute(headers[name]) : undefined)
  return {
    place: { stream, epoch, seq, storedAt: nanosOf(time) },
    subject,
    storedAtMs: Date.parse(time),
    headers: pairs,
    payload,
    id: text(HEADER.id),
    type: headers[HEADER.type],
    key: text(HEADER.partitionKey),
  }
}
