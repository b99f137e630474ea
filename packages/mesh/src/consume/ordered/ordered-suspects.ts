/**
 * The same as suspects.ts, T1 to T3, for handlers that keep the order of keys. Notes of events are in the partitions' records
 * (doubt.ts). Of what a run sent they are on the lane: it is a suspect where it was there before this instance had its partition.
 */
import { forgetCrashes, noteCrashes, readCrashes } from '../../failure/crash-note.ts'
import { tellLate } from '../../run/late.ts'
import { conclude } from '../../run/record.ts'
import type { Attempt } from '../../service/attempt.ts'
import { storeLate } from '../../service/run-attempt.ts'
import { AloneLine } from '../alone-line.ts'
import { okOf } from '../conclusion.ts'
import { crashBurial, crashed, MOST_CRASHES } from '../crash-burial.ts'
import type { Delivery } from '../delivery.ts'
import type { RunnerOptions } from '../runner-options.ts'
import type { Line } from './key-turns.ts'
import type { Partition } from './partition.ts'
import type { SentMessage } from './sent-message.ts'

/** An event that may begin, and where it belongs. */
export type Ready = { partition: Partition; line: Line }

export type OrderedSuspectsPort = {
  /** It may begin beside others, or is dead. */
  onClear: (ready: Ready) => void
  isOpen: () => boolean
  mayBegin: () => boolean
  /** Resolves when it is concluded. */
  run: (ready: Ready) => Promise<void>
  isStopping: () => boolean
}

/** When one may not begin now. */
const AGAIN_MS = 1000
const NEVER = new AbortController().signal

export class OrderedSuspects {
  readonly #options: RunnerOptions
  readonly #port: OrderedSuspectsPort
  readonly #alone: AloneLine<Ready & { crashes: number }>
  /** Begun, and not back. */
  readonly #begun = new Map<Delivery, Ready>()

  constructor(options: RunnerOptions, port: OrderedSuspectsPort) {
    this.#options = options
    this.#port = port
    this.#alone = new AloneLine(options.solitude, {
      onTurn: (one) => this.#takeTurn(one),
      isOpen: () => port.isOpen(),
    })
  }

  add({ partition, line }: Ready): void {
    if (line.current) {
      void this.#addSent({ partition, line }, line.current)
      return
    }
    const delivery = line.items[0]!.item
    const crashes = partition.doubts.crashesOf(line.items[0]!.seq)
    const { log, labels } = this.#options
    delivery.onTrial = true
    if (crashes > 0) log.warn({ ...labels, ...delivery.source, crashes }, 'a message may be what ends this process')
    if (crashes >= MOST_CRASHES) {
      delivery.attempts = Math.max(delivery.attempts, crashes)
      delivery.burial ??= crashBurial(delivery, crashed(crashes))
    }
    if (crashes === 0 || delivery.burial) this.#port.onClear({ partition, line })
    else this.#alone.add({ partition, line, crashes })
  }

  /** To be asked before a message is begun. False when its partition was lost meanwhile. */
  async mayBegin(ready: Ready, delivery: Delivery): Promise<boolean> {
    const { current } = ready.line
    if (current) return !current.isOld || (await this.#mayBeginSent(ready, delivery))
    if (!delivery.onTrial || delivery.burial) return true
    this.#begun.set(delivery, ready)
    try {
      await ready.partition.noteBegun(delivery.source.seq)
      return !ready.partition.lost.aborted
    } catch {
      this.#begun.delete(delivery)
      return false
    }
  }

  /** Its call came back, or is given up. */
  onBack(ready: Ready, delivery: Delivery, isLeaked: boolean): void {
    if (isLeaked) {
      this.#begun.set(delivery, ready)
      return
    }
    if (this.#begun.delete(delivery)) this.#takeBack(ready, delivery)
    delivery.onTrial = false
  }

  /** For a process that stops and can wait no longer: what runs did not end it. */
  letGo(): void {
    this.#alone.takeAll()
    for (const [delivery, ready] of this.#begun) if (delivery.phase.kind !== 'leaked') this.#takeBack(ready, delivery)
  }

  /** A call that was given up has ended well: its key goes on. Never throws. */
  async late(attempt: Attempt): Promise<void> {
    const { delivery } = attempt
    const { nc, publisher, names, log, service, handler, instance, labels } = this.#options
    const fields = { ...labels, ...delivery.source }
    const stuck = this.#begun.get(delivery)
    this.#begun.delete(delivery)
    try {
      await storeLate(attempt)
      const durable = names.durable(service.name, handler)
      const deps = { nc, pipeline: publisher.pipeline, names, log }
      const { run, attempts } = delivery
      if (run) await conclude({ ...deps, stopping: NEVER }, run, { outcome: okOf(run), attempts })
      else await tellLate({ ...deps, durable, instance }, delivery)
      if (run) await forgetCrashes(this.#options.lane, delivery).catch(() => undefined)
      stuck?.partition.work.unstuck(stuck.line)
      log.warn(fields, 'a call that was given up has ended well: its message is done')
    } catch (error) {
      log.error({ ...fields, err: error }, 'a call that was given up has ended well, and that could not be stored')
    }
  }

  async #addSent(ready: Ready, message: SentMessage): Promise<void> {
    const { log, labels, lane } = this.#options
    const { partition, line } = ready
    try {
      message.crashes = await readCrashes(lane, { source: message.place })
    } catch (error) {
      log.warn({ ...labels, ...message.place, err: error }, 'a suspect was not begun: its note is not to be had; again')
      if (partition.mayBegin(line)) setTimeout(() => this.add(ready), AGAIN_MS).unref()
      return
    }
    const { crashes } = message
    if (crashes > 0) log.warn({ ...labels, ...message.place, crashes }, 'a message may be what ends this process')
    if (crashes === 0 || crashes >= MOST_CRASHES) this.#port.onClear(ready)
    else this.#alone.add({ ...ready, crashes })
  }

  /** Its note is stored first; what has too many is not begun. */
  async #mayBeginSent(ready: Ready, delivery: Delivery): Promise<boolean> {
    const { partition, line } = ready
    const { crashes } = delivery
    if (crashes >= MOST_CRASHES) {
      delivery.attempts = Math.max(delivery.attempts, crashes)
      delivery.burial ??= crashBurial(delivery, crashed(crashes))
    }
    if (delivery.burial) return true
    try {
      await noteCrashes(this.#options.lane, delivery, crashes + 1)
    } catch (error) {
      const { log, labels } = this.#options
      log.warn({ ...labels, ...delivery.source, err: error }, 'a suspect was not begun: its note was not stored; again')
      if (!partition.lost.aborted) partition.work.postpone(line, AGAIN_MS)
      return false
    }
    this.#begun.set(delivery, ready)
    return !partition.lost.aborted
  }

  #takeBack({ partition }: Ready, delivery: Delivery): void {
    if (delivery.run === undefined) partition.doubts.end(delivery.source.seq)
    // At worst it is tried alone once more.
    else void noteCrashes(this.#options.lane, delivery, delivery.crashes).catch(() => undefined)
  }

  async #takeTurn(one: Ready & { crashes: number }): Promise<void> {
    if (this.#port.isStopping() || !one.partition.mayBegin(one.line)) return
    if (this.#port.mayBegin()) await this.#port.run(one)
    else setTimeout(() => this.#alone.add(one), AGAIN_MS).unref()
  }
}
