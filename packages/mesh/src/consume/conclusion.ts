import type { Maybe } from '../maybe.ts'
import { forgetCrashes } from '../failure/crash-note.ts'
import { tellLate } from '../run/late.ts'
import { conclude, type Outcome, type RecordDeps } from '../run/record.ts'
import type { RunOf } from '../run/run-headers.ts'
import type { Attempt } from '../service/attempt.ts'
import { storeLate } from '../service/run-attempt.ts'
import { bury, dropStaleCopy, leaveRecord, mayHaveLeft, sayRetry } from './after-failure.ts'
import { crashBurial } from './crash-burial.ts'
import { ANSWERED, type Burial, type Delivery } from './delivery.ts'
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

  /** Its call never came back, and nobody else took it. */
  async buryLeaked(delivery: Delivery): Promise<void> {
    delivery.credit.reclaim()
    const detail = `its call never came back, and no other process took it: it was delivered ${delivery.deliveryCount} times`
    await this.buryAgain(delivery, crashBurial(delivery, detail))
  }

  /** A call that was given up has ended well: its message is done, whatever was written of it meanwhile. Never throws. */
  async late(attempt: Attempt): Promise<void> {
    const { delivery } = attempt
    const fields = { ...this.#options.labels, ...delivery.source }
    try {
      await storeLate(attempt)
      if (delivery.run) await this.#concludeRun(delivery, delivery.run, okOf(delivery.run))
      else await this.#tidy(delivery)
      await forgetCrashes(this.#options.lane, delivery).catch(() => undefined)
      if (delivery.phase.kind !== ANSWERED.kind) {
        delivery.credit.reclaim()
        this.#intake.settle(delivery, 'ack')
      }
      this.#options.log.warn(fields, 'a call that was given up has ended well: its message is done')
    } catch (error) {
      this.#options.log.error(
        { ...fields, err: error },
        'a call that was given up has ended well, and that could not be stored',
      )
    }
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
    if (mayHaveLeft(delivery)) return this.#tidy(delivery).then(() => this.#intake.settle(delivery, 'ack'))
    this.#intake.settle(delivery, 'ack')
  }

  /** What was left of it elsewhere says that it is not done: a copy on the lane, a letter. Never throws. */
  async #tidy(delivery: Delivery): Promise<void> {
    const { log, labels, names, service, handler, instance } = this.#options
    const durable = names.durable(service.name, handler)
    const told = tellLate({ ...this.#recordDeps, durable, instance }, delivery).then(
      (isLate) =>
        isLate && log.warn({ ...labels, ...delivery.source }, 'a message with a dead letter is done after all'),
      (error: unknown) =>
        log.warn({ ...labels, err: error }, 'whether a message that is done has a dead letter is not known'),
    )
    await Promise.all([told, dropStaleCopy(this.#options.lane, delivery)])
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
    if (run.isLost) return
    const deps = { ...this.#recordDeps, stopping: this.#stopping }
    await conclude(deps, run, { outcome, attempts: delivery.attempts })
  }

  get #recordDeps(): RecordDeps {
    const { nc, publisher, names, log } = this.#options
    return { nc, pipeline: publisher.pipeline, names, log }
  }

  /** A letter that cannot be stored now is tried again, not the handler. */
  async #bury(delivery: Delivery, burial: Burial): Promise<void> {
    const { envelope, decision } = burial
    void leaveRecord(this.#options, delivery, { envelope, decision, nextAttemptAt: null })
    delivery.burial = burial
    await bury(this.#options, delivery, burial)
    // Its call ended well at this very moment.
    if (delivery.phase.kind === ANSWERED.kind) {
      await this.#tidy(delivery)
      return
    }
    const { code, message } = decision
    if (delivery.run) await this.#concludeRun(delivery, delivery.run, { kind: 'failed', code, message })
    if (mayHaveLeft(delivery)) await dropStaleCopy(this.#options.lane, delivery)
    if (delivery.crashes > 0) await forgetCrashes(this.#options.lane, delivery).catch(() => undefined)
    this.#intake.settle(delivery, 'term')
  }
}

export const okOf = ({ already, withheld }: RunOf): Outcome => ({
  kind: 'ok',
  ...(already && { already }),
  ...(withheld && { withheld }),
})
