/** The events of a replay that the archive has, whether or not their stream has forgotten them. */
import type { ReplayedEvent, ReplayQuery, ReplayReader } from '@malha/archive'
import { decodeAttribute, HEADER, type Mesh, nanosOf, receivedHeaders } from '@malha/mesh'
import { type Event, followReplay, type ReplayRun, turnOf } from './replayed.ts'
import type { ReplaySlice } from './run.ts'
import { isWithin } from './slice.ts'
import { type Counted, type RunSource, type Slice, SourceAway } from './source.ts'

/** Whatever the archive throws, a run waits and asks again. */
export class ArchiveSource implements RunSource {
  readonly #mesh: Mesh
  readonly #archive: ReplayReader
  readonly #run: ReplayRun

  constructor({ mesh, archive }: { mesh: Mesh; archive: ReplayReader }, run: ReplayRun) {
    this.#mesh = mesh
    this.#archive = archive
    this.#run = run
  }

  /** Nothing to learn: what was sent stands in the records, and each message has one of its own. */
  async reopen(): Promise<void> {}

  async next(after: number, limit: number): Promise<Slice> {
    const { from, upTo } = this.#run
    try {
      const { events, until } = await readArchive(this.#archive, from, { after, upTo, limit })
      return { turns: events.map((event) => turnOf(this.#mesh, this.#run, event)), until }
    } catch (cause) {
      throw new SourceAway(cause instanceof Error ? cause.message : String(cause), { cause })
    }
  }

  follow(after: number, onBatch: (counted: readonly Counted[], until: number) => void): Promise<void> {
    return followReplay(this.#mesh, this.#run, after, onBatch)
  }
}

/** The next events of a slice; there are no others up to `until`. */
export async function readArchive(
  archive: ReplayReader,
  slice: ReplaySlice,
  { after, upTo, limit }: { after: number; upTo: number; limit: number },
): Promise<{ events: Event[]; until: number }> {
  const found = await archive.read({ ...queryOf(slice, { after, upTo }), limit })
  const events = found.map((one) => eventOf(slice, one)).filter((event) => isWithin(slice, event))
  return { events, until: found.at(-1)?.seq ?? upTo }
}

export const queryOf = (
  { stream, epoch, type, key, since, until }: ReplaySlice,
  { after, upTo }: { after: number; upTo: number },
): ReplayQuery => ({ stream, epoch, after, upTo, typePattern: patternOf(type), key, since, until })

/** A pattern of NATS as a regular expression. */
const patternOf = (type: string): string =>
  type
    .split('.')
    .map((token) => (token === '>' ? '.+' : token === '*' ? '[^.]+' : token))
    .join(String.raw`\.`)

function eventOf(
  { stream, epoch }: ReplaySlice,
  { seq, subject, publishedAt, headers, payload }: ReplayedEvent,
): Event {
  const received = receivedHeaders(headers.map(([name, value]) => [name, [value]] as [string, string[]]))
  const text = (name: string): string | undefined => (received[name] ? decodeAttribute(received[name]) : undefined)
  return {
    place: { stream, epoch, seq, storedAt: nanosOf(publishedAt) },
    subject,
    storedAtMs: Date.parse(publishedAt),
    headers,
    payload,
    id: text(HEADER.id),
    type: received[HEADER.type],
    key: text(HEADER.partitionKey),
  }
}
