/**
 * Messages that may be what ends the process: delivered again and again, and never answered
 * (docs/adr/0026-a-suspect-is-tried-alone.md).
 *
 * T1  Before a suspect is begun its note is stored (failure/crash-note.ts), and when it comes back the note says so. So a note
 *     counts exactly how often the process ended, or the call never came back, while this message was begun.
 * T2  One with a note is begun only while nothing else of any handler of this process runs; those with the fewest first.
 * T3  It is dead when it has a note of `MOST_CRASHES`: of these, all but the first were its own beyond doubt.
 */
import { noteCrashes, readCrashes } from '../failure/crash-note.ts'
import type { Maybe } from '../maybe.ts'
import { AloneLine } from './alone-line.ts'
import { crashBurial, crashed, MOST_CRASHES } from './crash-burial.ts'
import type { Delivery } from './delivery.ts'
import type { Gate } from './gate.ts'
import type { Intake } from './intake.ts'
import type { Retries } from './retries.ts'
import type { RunnerOptions } from './runner-options.ts'
import type { Slots } from './slots.ts'
import type { Tried } from './try-once.ts'

/** After so many deliveries a message that is delivered again is a suspect. */
const FREE_DELIVERIES = 3
/** When its note can be neither read nor written, or when it may not start now. */
const AGAIN_MS = 1000

export type SuspectsPort = {
  /** It may begin beside others, by `run`, or is dead. */
  onClear: (delivery: Delivery) => void
  gate: () => Gate
  attempt: (delivery: Delivery) => Maybe<Tried>
  /** What is to be done with it, and with its slot. */
  onTried: (delivery: Delivery, tried: Tried, isProbe: boolean) => void
  /** It was not begun: its slot is free. */
  onRefused: (isProbe: boolean) => void
  /** How many may wait in this process. */
  mostHeld: () => number
  /** Where the handler stops or is paused: leaves it to the server, and says so. */
  putBack: (delivery: Delivery) => boolean
}

/** Two looks at numbers that are there: every message has them. */
export const isSuspect = ({ deliveryCount, crashes, onTrial }: Delivery): boolean =>
  (deliveryCount > FREE_DELIVERIES || crashes > 0) && !onTrial

export class Suspects {
  readonly #options: RunnerOptions
  readonly #intake: Intake
  readonly #retries: Retries
  readonly #slots: Slots
  readonly #port: SuspectsPort
  readonly #begun = new Set<Delivery>()
  /** Upholds T2. */
  readonly #alone: AloneLine<Delivery>

  constructor(options: RunnerOptions, parts: { intake: Intake; retries: Retries; slots: Slots }, port: SuspectsPort) {
    this.#options = options
    this.#intake = parts.intake
    this.#retries = parts.retries
    this.#slots = parts.slots
    this.#port = port
    this.#alone = new AloneLine(options.solitude, {
      onTurn: (delivery) => this.#takeTurn(delivery),
      isOpen: () => port.gate().isOpen,
    })
  }

  add(delivery: Delivery): void {
    this.#place(delivery).catch((error: unknown) => this.#again(delivery, error))
  }

  /** Upholds T1. Resolves when it has come back, or is given up. Never throws. */
  async run(delivery: Delivery, isProbe: boolean): Promise<void> {
    this.#slots.take()
    this.#slots.show()
    try {
      await noteCrashes(this.#options.lane, delivery, delivery.crashes + 1)
    } catch (error) {
      this.#slots.conclude()
      this.#again(delivery, error)
      this.#port.onRefused(isProbe)
      return
    }
    this.#begun.add(delivery)
    const tried = await this.#port.attempt(delivery)
    this.#begun.delete(delivery)
    delivery.onTrial = false
    if (tried.kind === 'done') delivery.crashes = 0
    // Of one that leaked nobody knows whether it will come back.
    if (tried.kind !== 'leaked') await this.#takeBack(delivery)
    this.#port.onTried(delivery, tried, isProbe)
  }

  /** For a process that stops and can wait no longer: what runs did not end it. */
  async letGo(): Promise<void> {
    await Promise.all([...this.#begun].map((delivery) => this.#takeBack(delivery)))
  }

  /** How many wait for their turn. */
  get length(): number {
    return this.#alone.length
  }

  /** What waits for its turn. */
  takeAll(): Delivery[] {
    const waiting = this.#alone.takeAll()
    for (const { credit } of waiting) credit.reclaim()
    return waiting
  }

  /** It could not be begun, or placed: not its fault. */
  #again(delivery: Delivery, error: unknown): void {
    const { log, labels } = this.#options
    log.warn({ ...labels, ...delivery.source, err: error }, 'a suspect was not begun: its note is not to be had; again')
    delivery.onTrial = false
    if (!this.#port.putBack(delivery)) this.#retries.hold(delivery, AGAIN_MS)
  }

  async #place(delivery: Delivery): Promise<void> {
    const { lane, log, labels } = this.#options
    await lane.identity.confirm(delivery)
    delivery.crashes = Math.max(delivery.crashes, await readCrashes(lane, delivery))
    const { crashes, deliveryCount } = delivery
    if (this.#port.putBack(delivery)) return
    if (crashes > 0)
      log.warn({ ...labels, ...delivery.source, crashes, deliveryCount }, 'a message may be what ends this process')
    if (crashes >= MOST_CRASHES) {
      delivery.burial = crashBurial(delivery, crashed(crashes))
      delivery.attempts = Math.max(delivery.attempts, crashes)
      // Delivered for what is done with it next, not to be tried.
      delivery.onTrial = true
      this.#port.onClear(delivery)
    } else if (crashes === 0) {
      delivery.onTrial = true
      this.#port.onClear(delivery)
    } else this.#wait(delivery)
  }

  /** Upholds T2. */
  #wait(delivery: Delivery): void {
    if (this.#alone.length >= this.#port.mostHeld()) {
      this.#intake.handBack(delivery, AGAIN_MS)
      return
    }
    delivery.credit.release()
    this.#alone.add(delivery)
  }

  async #takeTurn(next: Delivery): Promise<void> {
    next.credit.reclaim()
    next.onTrial = true
    const gate = this.#port.gate()
    if (this.#port.putBack(next)) next.onTrial = false
    else if (gate.mayStart()) await this.run(next, !gate.isFlowing)
    else {
      next.onTrial = false
      this.#retries.hold(next, AGAIN_MS)
    }
  }

  async #takeBack(delivery: Delivery): Promise<void> {
    const { lane, log, labels } = this.#options
    await noteCrashes(lane, delivery, delivery.crashes).catch((error: unknown) =>
      log.debug(
        { ...labels, ...delivery.source, err: error },
        'the note of a suspect that came back was not taken back',
      ),
    )
  }
}
