import { forgetCrashes } from '../../failure/crash-note.ts'
import { conclude, type Outcome } from '../../run/record.ts'
import { bury, leaveRecord, sayRetry } from '../after-failure.ts'
import { okOf } from '../conclusion.ts'
import type { Burial, Delivery } from '../delivery.ts'
import type { RunnerOptions } from '../runner-options.ts'
import type { Judgement } from '../try-once.ts'
import type { HeldKeys } from './held-keys.ts'
import type { Ready } from './ordered-suspects.ts'
import { endOfTime } from './run-time.ts'

export type OrderedConclusionPort = {
  /** Nothing is to be started for so long. */
  onDelay: (delayMs: number) => void
  /** Ends what waits for a server that does not answer: the process can wait no longer. */
  stopping: AbortSignal
  held: HeldKeys
}

/** When a letter could not be stored, or a message of a run not read. */
const AGAIN_MS = 5000

/** Brings what was tried to where it is to be: settled, waiting for another attempt, or among the dead letters. Never throws. */
export class OrderedConclusion {
  readonly #options: RunnerOptions
  readonly #port: OrderedConclusionPort

  constructor(options: RunnerOptions, port: OrderedConclusionPort) {
    this.#options = options
    this.#port = port
  }

  async reach({ partition, line }: Ready, delivery: Delivery, judgement: Judgement): Promise<void> {
    try {
      switch (judgement.kind) {
        case 'leaked':
          partition.work.stuck(line)
          return
        case 'not-tried':
        case 'not-ours':
          partition.work.again(line)
          return
        case 'done':
          if (line.current) await this.#endSent({ partition, line }, delivery)
          else partition.work.settle(line)
          return
        case 'bury':
          await this.#bury({ partition, line }, delivery, judgement.burial)
          return
        case 'retry': {
          const end = line.current?.isOld ? await endOfTime(this.#options, delivery, judgement) : undefined
          if (end) await this.#bury({ partition, line }, delivery, end)
          else this.#retry({ partition, line }, delivery, judgement)
        }
      }
    } catch (error) {
      if (partition.lost.aborted) return
      this.#options.log.error(
        { ...this.#options.labels, err: error },
        'a message could not be concluded; that is tried again',
      )
      hold({ partition, line }, delivery, AGAIN_MS)
    }
  }

  /** What a run sent could not be read, and was not begun. */
  unread({ partition, line }: Ready, error: unknown): void {
    const { log, labels } = this.#options
    if (partition.lost.aborted) return
    log.warn({ ...labels, err: error }, 'a message of a run could not be read from the lane; that is tried again')
    partition.work.postpone(line, AGAIN_MS)
  }

  #retry({ partition, line }: Ready, delivery: Delivery, retry: Retry): void {
    const { delayMs, pausesHandler } = retry.decision
    if (pausesHandler) this.#port.onDelay(delayMs)
    sayRetry(this.#options, delivery, retry)
    hold({ partition, line }, delivery, delayMs)
  }

  /** A letter that cannot be stored now is tried again, not the handler. */
  async #bury({ partition, line }: Ready, delivery: Delivery, burial: Burial): Promise<void> {
    const { envelope, decision } = burial
    void leaveRecord(this.#options, delivery, { envelope, decision, nextAttemptAt: null })
    if (line.current) line.current.burial = burial
    else delivery.burial = burial
    await partition.confirm()
    await bury(this.#options, delivery, burial)
    if (partition.lost.aborted) return
    const { code, message } = decision
    if (line.current) await this.#endSent({ partition, line }, delivery, { kind: 'failed', code, message })
    else if (this.#options.def.onDeadLetter === 'hold-key') {
      partition.work.holdBehind(line)
      // It may be an old one, and dealt with.
      void this.#port.held.check(partition, line)
    } else partition.work.settle(line)
  }

  /** Its outcome is stored before its key goes on. Of one that another copy was done with there is none. */
  async #endSent({ partition, line }: Ready, delivery: Delivery, failed?: Outcome): Promise<void> {
    const { nc, publisher, names, log } = this.#options
    const { run, attempts } = delivery
    if (run && !run.isLost) {
      await partition.confirm()
      const stopping = AbortSignal.any([this.#port.stopping, partition.lost])
      const deps = { nc, pipeline: publisher.pipeline, names, log, stopping }
      await conclude(deps, run, { outcome: failed ?? okOf(run), attempts })
    }
    if (delivery.crashes > 0) await forgetCrashes(this.#options.lane, delivery).catch(() => undefined)
    if (run && this.#port.held.isOfLetter(line, run.record)) {
      if (!failed && !run.isLost) await partition.work.freeKey(line)
      else void this.#port.held.check(partition, line)
    }
    await partition.work.settleSent(line)
  }
}

type Retry = Extract<Judgement, { kind: 'retry' }>

/** Its key waits, and what is known of its attempts is written down with it. */
function hold({ partition, line }: Ready, delivery: Delivery, delayMs: number): void {
  const { attempts, failures, failingSince } = delivery
  const now = Date.now()
  const firstFailureAt = failingSince === undefined ? 0 : Math.round(now - (performance.now() - failingSince))
  partition.work.hold(line, { attempts, failures, firstFailureAt, dueAt: now + delayMs, delayMs })
}
