/**
 * What the durables of one handler deliver, from arrival until it is answered.
 *
 * I1  A message that is here already is not handed on a second time, nor one answered here lately: its newest reply counts.
 * I2  What is here is kept ours by `working()`, whatever waits for it, but for what leaked.
 */
import type { Msg } from '@nats-io/transport-node'
import { isListening, tellStage } from '../observe/stages.ts'
import { AckReader } from './ack-subject.ts'
import { ANSWERED, type Delivery, type Origin, readDelivery } from './delivery.ts'
import { PullLoop } from './pull-loop.ts'
import { Recent } from './recent.ts'
import type { RunnerOptions } from './runner-options.ts'

export type IntakeOptions = Pick<
  RunnerOptions,
  'nc' | 'connection' | 'handler' | 'inboxPrefix' | 'settler' | 'onDoubt' | 'def' | 'epoch' | 'lane' | 'labels'
> & {
  onDelivery: (delivery: Delivery) => void
  /** Its call never came back here, and no other process took it for long. */
  onStranded: (delivery: Delivery) => void
}

/** So often a message that leaked here is left to others. */
const MOST_LEFT = 4

/** A durable to pull from. Names as on the server. */
export type IntakeSource = { via: 'event' | 'lane'; stream: string; durable: string; limit: number }

export class Intake {
  readonly #options: IntakeOptions
  /** By sequence. */
  readonly #here = { event: new Map<number, Delivery>(), lane: new Map<number, Delivery>() }
  readonly #answered = { event: new Recent(20_000), lane: new Recent(20_000) }
  readonly #sources: (IntakeSource & { loop: PullLoop; origin: Origin })[] = []
  /** What is beyond cannot have come before. */
  readonly #highest = { event: 0, lane: 0 }
  readonly #heartbeat: NodeJS.Timeout
  readonly #serverNow = (): number => this.#options.lane.clock.estimate()
  /** Of the event stream. */
  #repeatsUpTo = 0
  #epoch: number
  #keptAt = performance.now()

  constructor(options: IntakeOptions) {
    this.#options = options
    this.#epoch = options.epoch
    this.#heartbeat = setInterval(() => this.#keepOurs(), options.def.ackWaitMs / 3)
  }

  /** Begins to pull from a durable. */
  open(source: IntakeSource): PullLoop {
    const { via, stream, durable, limit } = source
    const { nc, connection, inboxPrefix, onDoubt, settler } = this.#options
    const loop: PullLoop = new PullLoop(nc, {
      connection,
      inboxPrefix,
      onDoubt,
      stream,
      durable,
      limit,
      ackWaitMs: this.#options.def.ackWaitMs,
      onLapse: () => settler.sendAgain(),
      onMessage: (msg) => this.#onMessage(msg, origin),
    })
    const origin = { via, credit: loop, epoch: this.#epoch, acks: new AckReader(), serverNow: this.#serverNow }
    this.#sources.push({ ...source, loop, origin })
    return loop
  }

  /** Why nothing comes, or nothing can be answered; empty when all is well. */
  faults(): string[] {
    const { handler } = this.#options
    const isAlive = this.#sources.every(({ loop }) => loop.alive)
    return isAlive ? [] : [`handler ${handler}: its consumer does not answer`]
  }

  /** Done with for good. */
  settle(delivery: Delivery, how: 'ack' | 'term'): void {
    const { via, reply, deliveredSeq, storedUs, credit } = delivery
    delivery.phase = ANSWERED
    if (reply !== '') {
      const { settler, labels } = this.#options
      this.#answered[via].add(deliveredSeq, storedUs)
      this.#here[via].delete(deliveredSeq)
      settler[how](reply, isListening() ? () => tellStage('settled', labels, delivery) : undefined)
    }
    credit.release()
  }

  /** For somebody else, or for later: the server delivers it again. */
  handBack(delivery: Delivery, delayMs = 0): void {
    const { via, reply, deliveredSeq } = delivery
    delivery.phase = ANSWERED
    if (reply !== '') this.#here[via].delete(deliveredSeq)
    this.#options.settler.nak(reply, delayMs)
    delivery.credit.release()
  }

  /** Up to here what the event durables deliver may have been done with before, in another process too. */
  expectRepeats(upTo: number): void {
    this.#repeatsUpTo = Math.max(this.#repeatsUpTo, upTo)
    this.#highest.event = Math.max(this.#highest.event, upTo)
  }

  /** The event stream was made anew: its sequences begin again, so what is known by sequence is void. */
  renewEpoch(epoch: number): void {
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    for (const { origin } of this.#sources) origin.epoch = epoch
    this.#repeatsUpTo = 0
    this.#answered.event.clear()
    for (const delivery of this.#here.event.values()) this.#lose(delivery)
  }

  /** To stop pulling now may lose what is on its way. */
  get mayLose(): boolean {
    return this.#sources.some(({ loop }) => loop.mayLose)
  }

  /** Asks for nothing more; resolves when what was asked for has come, or is over. */
  async runOut(): Promise<void> {
    await Promise.all(this.#sources.map(({ loop }) => loop.runOut()))
  }

  /** What was on its way still arrives. */
  async stopPulling(): Promise<void> {
    await Promise.all(this.#sources.map(({ loop }) => loop.stop()))
  }

  /** Lets go of what is still here; its answers go out. */
  async close(): Promise<void> {
    clearInterval(this.#heartbeat)
    await this.#options.settler.flush().catch(() => undefined)
  }

  /** Upholds I1. */
  #onMessage(msg: Msg, origin: Origin): void {
    const delivery = readDelivery(msg, origin)
    const { via, deliveredSeq } = delivery
    if (deliveredSeq > this.#highest[via]) this.#highest[via] = deliveredSeq
    else if (!this.#isNew(delivery)) return
    tellStage('delivered', this.#options.labels, delivery)
    this.#options.onDelivery(delivery)
    // Most are answered by now. A map that takes in and gives back each one leaves tables behind that keep one another.
    if (delivery.phase !== ANSWERED) this.#here[via].set(deliveredSeq, delivery)
  }

  /** What came before is answered as it was, or is no other message's by now. */
  #isNew(delivery: Delivery): boolean {
    const { via, deliveredSeq, storedUs } = delivery
    const known = this.#here[via].get(deliveredSeq)
    const isSame = known?.storedUs === storedUs
    if (isSame || this.#answered[via].has(deliveredSeq, storedUs)) {
      delivery.credit.release()
      this.#onRedelivery(delivery, isSame ? known : undefined)
      return false
    }
    if (known) this.#lose(known)
    if (via === 'event' && deliveredSeq <= this.#repeatsUpTo) delivery.isInDoubt = true
    return true
  }

  /** Its stream lost it: an answer would be taken for one to the event that has its sequence now. */
  #lose(delivery: Delivery): void {
    this.#here[delivery.via].delete(delivery.deliveredSeq)
    delivery.reply = ''
  }

  #onRedelivery(delivery: Delivery, known: Delivery | undefined): void {
    const { settler, def } = this.#options
    if (!known) settler.ack(delivery.reply)
    else {
      known.reply = delivery.reply
      known.deliveryCount = delivery.deliveryCount
      if (known.phase.kind !== 'leaked') return
      if (++known.phase.again <= MOST_LEFT) settler.nak(delivery.reply, def.ackWaitMs)
      // Once: its letter is on the way from then on.
      else if (known.phase.again === MOST_LEFT + 1) this.#options.onStranded(known)
    }
  }

  /** Upholds I2. */
  #keepOurs(): void {
    const now = performance.now()
    const isLate = now - this.#keptAt > this.#options.def.ackWaitMs
    this.#keptAt = now
    for (const here of Object.values(this.#here))
      for (const delivery of here.values()) {
        if (delivery.phase.kind !== 'leaked') this.#options.settler.working(delivery.reply)
        if (isLate) delivery.isInDoubt = true
      }
  }
}
