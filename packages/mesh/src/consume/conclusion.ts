import type { Maybe } from '../maybe.ts'
import { bury, dropStaleCopy, leaveRecord, sayRetry } from './after-failure.ts'
import { conclude, type Outcome } from '../run/record.ts'
import type { RunOf } from '../run/run-headers.ts'
import type { Burial, Delivery } from './delivery.ts'
import type { Intake } from './intake.ts'
import type { Retries } from './retries.ts'
import type { RunnerOptions } from './runner-options.ts'
import { judge, type Judgement, type Tried } from './try-once.ts'

export type ConclusionPort = {
  /** Nothing is to be started for so long. */
  onDelay: (delayMs: number) => void
  onLeaked: (delivery: Delivery) => void
  onNotTried: (delivery: Delivery) => Maybe<void>
}

type ConclusionParts = {
  intake: Intake
  retries: Retries
  port: ConclusionPort
  /** Ends what waits for a server that does not answer: the process can wait no longer. */
  stopping: AbortSignal
}

/** Until the other release may have it. */
const LEAVE_MS = 1000
/** When neither copy nor letter could be stored. */
const AGAIN_MS = 5000

/** Brings a message that was tried to where it is to be: acked, on its way to another attempt, or among the dead letters. */
export class Conclusion {
  readonly #options: RunnerOptions
  readonly #intake: Intake
  readonly #retries: Retries
  readonly #port: ConclusionPort
  readonly #stopping: AbortSignal
  #saidOthers = false

  constructor(options: RunnerOptions, parts: ConclusionParts) {
    this.#options = options
    this.#intake = parts.intake
    this.#retries = parts.retries
    this.#port = parts.port
    this.#stopping = parts.stopping
  }

  /** Never throws: what could not be brought there is tried again. */
  reach(delivery: Delivery, tried: Tried, isProbe: boolean): Maybe<void> {
    try {
      const reached = this.#reach(delivery, judge(this.#options, delivery, tried, isProbe))
      return reached instanceof Promise ? reached.catch((error: unknown) => this.#again(delivery, error)) : undefined
    } catch (error) {
      this.#again(delivery, error)
    }
  }

  /** The same for one that is dead, and whose letter could not be stored. */
  async buryAgain(delivery: Delivery, burial: Burial): Promise<void> {
    await this.#bury(delivery, burial).catch((error: unknown) => this.#again(delivery, error))
  }

  #reach(delivery: Delivery, judgement: Judgement): Maybe<void> {
    switch (judgement.kind) {
      case 'leaked':
        return this.#port.onLeaked(delivery)
      case 'not-ours':
        return this.#leaveToOthers(delivery)
      case 'not-tried':
        return this.#port.onNotTried(delivery)
      case 'done':
        return this.#acknowledge(delivery)
      case 'bury':
        return this.#bury(delivery, judgement.burial)
      case 'retry':
        return this.#retry(delivery, judgement)
    }
  }

  #again(delivery: Delivery, error: unknown): void {
    const { log, labels } = this.#options
    log.error({ ...labels, err: error }, 'a message could not be concluded; that is tried again')
    this.#retries.hold(delivery, AGAIN_MS)
  }

  #acknowledge(delivery: Delivery): Maybe<void> {
    if (delivery.run)
      return this.#concludeRun(delivery, delivery.run, okOf(delivery.run)).then(() =>
        this.#intake.settle(delivery, 'ack'),
      )
    const dropped = dropStaleCopy(this.#options.lane, delivery)
    if (dropped instanceof Promise) return dropped.then(() => this.#intake.settle(delivery, 'ack'))
    this.#intake.settle(delivery, 'ack')
  }

  /** Another release of the service runs beside this one, and the durable takes what only that one handles. */
  #leaveToOthers(delivery: Delivery): void {
    const { log, labels } = this.#options
    this.#intake.handBack(delivery, LEAVE_MS)
    const fields = { ...labels, subject: delivery.source.subject }
    log[this.#saidOthers ? 'debug' : 'warn'](fields, 'left to another release of this service, which takes it')
    this.#saidOthers = true
  }

  async #retry(delivery: Delivery, retry: Extract<Judgement, { kind: 'retry' }>): Promise<void> {
    const { delayMs, verdict, pausesHandler } = retry.decision
    if (pausesHandler) this.#port.onDelay(delayMs)
    sayRetry(this.#options, delivery, retry)
    // Another instance may be of the release that knows it: over the lane it comes to any of them.
    await this.#retries.postpone(delivery, delayMs, verdict.code === 'MESH_NEWER_VERSION')
  }

  /** Before its delivery is settled. */
  async #concludeRun(delivery: Delivery, run: RunOf, outcome: Outcome): Promise<void> {
    const { nc, publisher, names, log } = this.#options
    if (run.isLost) return
    const deps = { nc, pipeline: publisher.pipeline, names, log, stopping: this.#stopping }
    await conclude(deps, run, { outcome, attempts: delivery.attempts })
  }

  /** A letter that cannot be stored now is tried again, not the handler. */
  async #bury(delivery: Delivery, burial: Burial): Promise<void> {
    const { envelope, decision } = burial
    void leaveRecord(this.#options, delivery, { envelope, decision, nextAttemptAt: null })
    delivery.burial = burial
    await bury(this.#options, delivery, burial)
    const { code, message } = decision
    if (delivery.run) await this.#concludeRun(delivery, delivery.run, { kind: 'failed', code, message })
    await dropStaleCopy(this.#options.lane, delivery)
    this.#intake.settle(delivery, 'term')
  }
}

const okOf = ({ already, withheld }: RunOf): Outcome => ({
  kind: 'ok',
  ...(already && { already }),
  ...(withheld && { withheld }),
})
