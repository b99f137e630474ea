/**
 * Whether a due event is in its stream already.
 *
 * A1  Within its duplicate window the stream itself says so. Nothing is stored before it is due, so only what became due
 *     about a window ago, or earlier, is looked for.
 * A2  "It is not there" is never older than `FRESH_MS` when it is acted upon, also in a process that was stopped meanwhile.
 * A3  A subject is read once in `RENEWED_MS`, however many are looked for on it.
 */
import { millis, type NatsConnection } from '@nats-io/transport-node'
import { decodeAttribute, HEADER } from '../message/headers.ts'
import { getStored, type StoredMessage } from '../read/stored-message.ts'
import { deniedSubject } from '../topology/api-errors.ts'
import { DELAY_HEADER } from './headers.ts'
import type { ServerClock } from '../lifecycle/server-clock.ts'

/** Longer than a publish may take, and than two clocks of a cluster are thought to differ. */
const NEAR_MS = 30_000
/** The times of two streams may be told by two servers of a cluster. */
const CLOCKS_APART_MS = 60_000
const FRESH_MS = 5000
/** More do not help where a subject grows as fast as it is read. */
const MOST_READINGS = 5
const KEPT_MS = 60_000
const MOST_SUBJECTS = 1000
/** What is looked at all the time would be kept for ever; read anew, it begins at what is looked for then. */
const RENEWED_MS = 10 * 60_000

export type LookedFor = { stream: string; subject: string; id: string }

/** Needs `$JS.API.STREAM.INFO.<stream>` and `$JS.API.STREAM.MSG.GET.<stream>`. */
export class AlreadyStored {
  readonly #nc: NatsConnection
  readonly #clock: ServerClock
  readonly #windows = new Map<string, { readAt: number; ms: Promise<number> }>()
  #subjects = new Map<string, SubjectReader>()
  #lookedAt = 0

  constructor(nc: NatsConnection, clock: ServerClock) {
    this.#nc = nc
    this.#clock = clock
  }

  /**
   * The sequence of what became due at `dueAt`, by the server. `undefined`: it is not there, or its stream will say so
   * itself; that holds for a publish that is begun in the same turn.
   * @throws Error when it cannot be told
   */
  async find({ stream, subject, id }: LookedFor, dueAt: Date): Promise<number | undefined> {
    const windowMs = await this.#window(stream)
    // Upholds A2: the time is read after all questions, and what follows is one turn.
    const ageMs = (await this.#clock.now()) + this.#clock.errorMs - dueAt.getTime()
    if (ageMs < windowMs - NEAR_MS) {
      if (performance.now() - this.#lookedAt > KEPT_MS) this.#subjects.clear()
      return undefined
    }
    const reader = this.#reader(stream, subject)
    // What came while it was read is read too: less each time.
    for (let readings = 0; readings < MOST_READINGS; readings++) {
      const upTo = await reader.read(Math.max(0, dueAt.getTime() - CLOCKS_APART_MS))
      this.#lookedAt = performance.now()
      const seq = reader.sequenceOf(id)
      if (seq !== undefined || performance.now() - upTo <= FRESH_MS) return seq
    }
    throw new Error(`${subject} was looked for ${id} too long ago; it is looked for again`)
  }

  #reader(stream: string, subject: string): SubjectReader {
    this.#lookedAt = performance.now()
    const name = `${stream} ${subject}`
    let reader = this.#subjects.get(name)
    if (!reader || performance.now() - reader.madeAt > RENEWED_MS) {
      // Those in use are held by who uses them.
      if (this.#subjects.size >= MOST_SUBJECTS) this.#subjects = new Map()
      reader = new SubjectReader(this.#nc, stream, subject)
      this.#subjects.set(name, reader)
    }
    return reader
  }

  async #window(stream: string): Promise<number> {
    let known = this.#windows.get(stream)
    if (!known || performance.now() - known.readAt > KEPT_MS) {
      known = { readAt: performance.now(), ms: readWindow(this.#nc, stream) }
      this.#windows.set(stream, known)
      known.ms.catch(() => this.#windows.delete(stream))
    }
    return await known.ms
  }
}

/** The ids of delayed events on one subject, from a time on. Reads on where it stopped. */
class SubjectReader {
  readonly madeAt: number = performance.now()
  readonly #nc: NatsConnection
  readonly #stream: string
  readonly #subject: string
  readonly #sequences = new Map<string, number>()
  #from = Infinity
  #wanted = Infinity
  #next: number | undefined
  #running: Promise<number> = Promise.resolve(-Infinity)
  #queued: Promise<number> | undefined

  constructor(nc: NatsConnection, stream: string, subject: string) {
    this.#nc = nc
    this.#stream = stream
    this.#subject = subject
  }

  sequenceOf(id: string): number | undefined {
    return this.#sequences.get(id)
  }

  /** Reads all that is there now, of a time and later; as of when, on the clock of `performance`. One reading serves all who ask before it begins. */
  read(fromMs: number): Promise<number> {
    this.#wanted = Math.min(this.#wanted, fromMs)
    this.#queued ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#queued = undefined
        this.#running = this.#readOn()
        return this.#running
      })
    return this.#queued
  }

  async #readOn(): Promise<number> {
    if (this.#wanted < this.#from) this.#startOver()
    const askedAt = performance.now()
    // A busy subject grows as fast as it can be read.
    const end = await getStored(this.#nc, this.#stream, { last_by_subj: this.#subject })
    for (;;) {
      const found = end && (this.#next ?? 0) <= end.seq ? await this.#ask() : undefined
      if (!found) return askedAt
      this.#next = found.seq + 1
      if (found.headers[DELAY_HEADER.due] !== undefined)
        this.#sequences.set(decodeAttribute(found.headers[HEADER.id] ?? ''), found.seq)
    }
  }

  /** Twice as far back than is asked for when it was not far enough: else each of many that come latest first would begin anew. */
  #startOver(): void {
    const isFirst = this.#from === Infinity
    this.#from = isFirst ? this.#wanted : Math.max(0, Math.min(this.#wanted, 2 * this.#wanted - Date.now()))
    this.#next = undefined
    this.#sequences.clear()
  }

  #ask(): Promise<StoredMessage | undefined> {
    const start = this.#next === undefined ? { start_time: new Date(this.#from).toISOString() } : { seq: this.#next }
    return getStored(this.#nc, this.#stream, { ...start, next_by_subj: this.#subject })
  }
}

type StreamConfigAnswer = { config?: { duplicate_window?: number }; error?: { code: number; description?: string } }

/** For how long a stream remembers ids, ms. 0: this user may not know. */
async function readWindow(nc: NatsConnection, stream: string): Promise<number> {
  try {
    const reply = await nc.request(`$JS.API.STREAM.INFO.${stream}`, '', { timeout: 5000 })
    const { config, error } = reply.json<StreamConfigAnswer>()
    // Nothing can be looked for there. If another stream holds its subject now, that one compares ids.
    if (error?.code === 404) return Infinity
    if (!config) throw new Error(`stream ${stream} does not say its duplicate window: ${error?.description ?? ''}`)
    return millis(config.duplicate_window ?? 0)
  } catch (error) {
    if (deniedSubject(error) !== undefined) return 0
    throw error
  }
}
