import type { NatsConnection } from '@nats-io/transport-node'
import { getStored } from '../read/stored-message.ts'
import { apiCode, apiCodes } from '../topology/api-errors.ts'
import { streamState } from '../topology/stream-state.ts'
import type { Delivery } from './delivery.ts'
import { nanosOf } from './ordered/stored-delivery.ts'

export type StreamIdentityOptions = {
  nc: NatsConnection
  /** As the server names it. */
  stream: string
  /** Deliveries name another stream than the one there is. */
  onOther: (why: string) => void
}

/**
 * Tells which stream an event is of, of those that had its stream's name. One that an operator deletes and makes again begins
 * its sequences anew, and whoever was cut off meanwhile has the first of its events in hand before it learns of that. Letters
 * and copies on the lane are named by it: under another name the same event would be stored a second time.
 */
export class StreamIdentity {
  readonly #options: StreamIdentityOptions
  #reading: Promise<unknown> = Promise.resolve()
  #next: Promise<number | undefined> | undefined

  constructor(options: StreamIdentityOptions) {
    this.#options = options
  }

  /**
   * Puts the right epoch into a delivery, before anything is named after it.
   * @throws when the stream's leader does not answer
   */
  async confirm({ via, source }: Pick<Delivery, 'via' | 'source'>): Promise<void> {
    // What comes over the lane was looked at before it went there.
    if (via === 'lane') return
    const epoch = await this.#epochFromNowOn()
    // A stream is never followed by an older one: whoever says so is behind.
    if (epoch === undefined || epoch <= source.epoch) return
    const { nc, stream, onOther } = this.#options
    onOther('the stream was made anew')
    const there = await getStored(nc, stream, { seq: source.seq })
    if (there && nanosOf(there.time) === source.storedAt) source.epoch = epoch
  }

  /** A look that begins after the call: it holds for all that is here by then. Calls that wait share one. */
  #epochFromNowOn(): Promise<number | undefined> {
    this.#next ??= this.#reading.then(() => {
      this.#next = undefined
      const epoch = this.#epoch()
      this.#reading = epoch.catch(() => undefined)
      return epoch
    })
    return this.#next
  }

  /** Undefined when the stream is gone. */
  async #epoch(): Promise<number | undefined> {
    try {
      return (await streamState(this.#options.nc, this.#options.stream)).epoch
    } catch (error) {
      if (apiCode(error) === apiCodes.streamMissing) return undefined
      throw error
    }
  }
}
