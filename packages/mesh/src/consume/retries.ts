import { fitsLane, releaseLane, sendToLane } from '../failure/lane.ts'
import type { Delivery } from './delivery.ts'
import type { Intake } from './intake.ts'
import type { RunnerOptions } from './runner-options.ts'
import { WaitingRoom } from './waiting-room.ts'

export type RetriesPort = {
  /** Its time has come. */
  onDue: (delivery: Delivery) => void
  /** How many may wait in this process. */
  mostHeld: () => number
  /** The breaker lets everything through. */
  isFlowing: () => boolean
  isPaused: () => boolean
  isStopping: () => boolean
}

/** A longer wait goes to the lane. */
const HOLD_MOST_MS = 30_000
/** When what a paused handler has in hand could not be put on its lane. */
const AGAIN_MS = 5000
/** What waited for a partner goes to it over this time when it is back. */
const RAMP_MS = 5000

/** What waits for its next attempt: in this process for a short while, on the handler's lane for longer. */
export class Retries {
  readonly #options: RunnerOptions
  readonly #intake: Intake
  readonly #port: RetriesPort
  readonly #held = new WaitingRoom((delivery) => this.#onDue(delivery))
  #recoveries = 0

  constructor(options: RunnerOptions, intake: Intake, port: RetriesPort) {
    this.#options = options
    this.#intake = intake
    this.#port = port
  }

  /** Where it waits is decided here; over the lane it comes to any instance, which `isForOthers` asks for. */
  async postpone(delivery: Delivery, delayMs: number, isForOthers: boolean): Promise<void> {
    const hasRoom = delayMs <= HOLD_MOST_MS && this.#held.size < this.#port.mostHeld()
    const staysHere = !this.#port.isStopping() && !this.#port.isPaused()
    const mayHold = staysHere && hasRoom && !isForOthers
    if (mayHold || !fitsLane(this.#options.lane, delivery)) this.hold(delivery, delayMs)
    else await this.#moveToLane(delivery, delayMs)
  }

  hold(delivery: Delivery, delayMs: number): void {
    if (this.#port.isStopping()) {
      this.#intake.handBack(delivery)
      return
    }
    this.#held.hold(delivery, delayMs)
    delivery.credit.release()
  }

  /** Left to another instance, which takes it at once or after what is left of its delay; its counters go with it. */
  async leave(delivery: Delivery, delayMs = 0): Promise<void> {
    if (!delivery.isTouched) this.#intake.handBack(delivery)
    // Without a server there is nobody to hand it to: it comes back after `ack_wait`, as after a crash.
    else if (this.#options.connection.isUp()) await this.#moveToLane(delivery, delayMs)
  }

  /** How many wait in this process. */
  get size(): number {
    return this.#held.size
  }

  /**
   * Its handler is paused, for who knows how long: it goes back to the server, with its counters to the lane where it was
   * tried. Never throws: what cannot go there waits here.
   */
  async setAside(delivery: Delivery, delayMs = 0): Promise<void> {
    if (!delivery.isTouched) {
      this.#intake.handBack(delivery)
      return
    }
    // Its letter is all that is missing: over the lane it would be tried again.
    if (delivery.burial || !fitsLane(this.#options.lane, delivery)) {
      this.hold(delivery, delayMs)
      return
    }
    try {
      await this.#moveToLane(delivery, delayMs)
    } catch (error) {
      this.#options.log.warn(
        { ...this.#options.labels, err: error },
        'a retry of a paused handler waits in this process',
      )
      this.hold(delivery, AGAIN_MS)
    }
  }

  /** Sets all aside that wait here. */
  setAllAside(): Promise<void>[] {
    return this.#held.takeAll().map(({ delivery, delayMs }) => {
      delivery.credit.reclaim()
      return this.setAside(delivery, delayMs)
    })
  }

  /** Leaves all that wait here. */
  leaveAll(): Promise<void>[] {
    return this.#held.takeAll().map(({ delivery, delayMs }) => this.leave(delivery, delayMs))
  }

  /** Makes one due now. False when none waits here. */
  wakeOne(): boolean {
    const first = this.#held.first()
    if (first) this.#held.wake(first)
    return first !== undefined
  }

  /** Has one come that waits on the lane. */
  fetchOne(): void {
    this.#releaseLane({ rampMs: 0, most: 1 })
  }

  /** The other side is back: all are due, not all at once. */
  release(): void {
    this.#recoveries++
    this.#held.ramp(RAMP_MS)
    this.#releaseLane({ rampMs: RAMP_MS })
  }

  #onDue(delivery: Delivery): void {
    delivery.credit.reclaim()
    this.#port.onDue(delivery)
  }

  async #moveToLane(delivery: Delivery, delayMs: number): Promise<void> {
    const recoveries = this.#recoveries
    delivery.wasSentToLane = true
    await sendToLane(this.#options.lane, delivery, delayMs)
    this.#intake.settle(delivery, 'ack')
    // The other side came back meanwhile, and what waited was released without this one.
    if (recoveries !== this.#recoveries) this.#releaseLane({ rampMs: 0 })
  }

  #releaseLane(options: { rampMs: number; most?: number }): void {
    const shouldGoOn = (): boolean => !this.#port.isStopping() && (options.most === 1 || this.#port.isFlowing())
    releaseLane(this.#options.lane, { ...options, shouldGoOn }).catch((error: unknown) =>
      this.#options.log.warn(
        { ...this.#options.labels, err: error },
        'retries that wait were not released; they come in their own time',
      ),
    )
  }
}
