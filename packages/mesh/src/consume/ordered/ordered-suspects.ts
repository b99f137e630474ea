/** The same as suspects.ts, T1 to T3, for handlers that keep the order of keys: their notes are in the partitions' records (doubt.ts). */
import { tellLate } from '../../run/late.ts'
import type { Attempt } from '../../service/attempt.ts'
import { storeLate } from '../../service/run-attempt.ts'
import { AloneLine } from '../alone-line.ts'
import { crashBurial, crashed, MOST_CRASHES } from '../crash-burial.ts'
import type { Delivery } from '../delivery.ts'
import type { RunnerOptions } from '../runner-options.ts'
import type { Line } from './key-turns.ts'
import type { Partition } from './partition.ts'

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
    if (this.#begun.delete(delivery)) ready.partition.doubts.end(delivery.source.seq)
    delivery.onTrial = false
  }

  /** For a process that stops and can wait no longer: what runs did not end it. */
  letGo(): void {
    this.#alone.takeAll()
    for (const [{ phase, source }, { partition }] of this.#begun)
      if (phase.kind !== 'leaked') partition.doubts.end(source.seq)
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
      await tellLate({ nc, pipeline: publisher.pipeline, names, log, durable, instance }, delivery)
      stuck?.partition.unstuck(stuck.line)
      log.warn(fields, 'a call that was given up has ended well: its message is done')
    } catch (error) {
      log.error({ ...fields, err: error }, 'a call that was given up has ended well, and that could not be stored')
    }
  }

  async #takeTurn(one: Ready & { crashes: number }): Promise<void> {
    if (this.#port.isStopping() || !one.partition.mayBegin(one.line)) return
    if (this.#port.mayBegin()) await this.#port.run(one)
    else setTimeout(() => this.#alone.add(one), AGAIN_MS).unref()
  }
}
