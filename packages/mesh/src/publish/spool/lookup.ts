import { days } from '../../durations.ts'
import { IdConflict, isSame, type Outgoing, type PublisherDeps } from '../publisher.ts'
import type { StoredMessage } from '../../read/stored-message.ts'
import { Trail } from '../trail.ts'

/** An event that may have been sent: if it is stored, then behind the sequence `after`. 0: nobody knows. */
export type Sent = { readonly out: Outgoing; readonly after: number; readonly queuedAt: number }

/** What two clocks may be apart. */
const CLOCKS_APART_MS = days(1)

/** Looks for events that were sent without an answer. Each subject is read once, however many of them there are. */
export class Lookup {
  readonly #signal: AbortSignal
  readonly #trails = new Map<string, { after: number; trail: Trail }>()

  /** `signal` ends it. */
  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  /**
   * Where the event stands in its stream; undefined where it is not there.
   * @throws MeshError MESH_ID_CONFLICT when its id names something else there, and those of `readBack`
   */
  async find(publisher: PublisherDeps, sent: Sent): Promise<StoredMessage | undefined> {
    const { out } = sent
    const found = await this.#trailOf(publisher, sent).find(out.envelope.id, this.#signal)
    if (found && !isSame(found, out)) throw new IdConflict(out, found)
    return found
  }

  #trailOf(publisher: PublisherDeps, { out, after, queuedAt }: Sent): Trail {
    const known = this.#trails.get(out.subject)
    if (known && known.after <= after) return known.trail
    // Where no sequence is known, the time it was queued bounds the reading.
    const start =
      after > 0 ? { seq: after + 1 } : { start_time: new Date(Math.max(0, queuedAt - CLOCKS_APART_MS)).toISOString() }
    const trail = new Trail(publisher, out, start)
    this.#trails.set(out.subject, { after, trail })
    return trail
  }
}
