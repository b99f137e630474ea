/**
 * What one process of a mesh does for all of it: brings back what the server gave up, whoever runs. It acts on what the
 * server told, and looks at every durable from time to time, since the server does not tell of all.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { JsMsg } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { GIVEN_UP } from '../consume/given-up.ts'
import type { Logger } from '../observe/logger.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'
import type { LastSetBack } from '../topology/checkpoint.ts'
import { AdvisoryCapture } from './advisory-capture.ts'
import { readAdvisory } from './advisory.ts'
import { bringBack, type BringBackDeps, isCovered } from './bring-back.ts'
import { findDurable, type OwnDurable, ownDurables, ownStreams } from './own-durables.ts'

export type LeaderDeps = BringBackDeps & { nc: NatsConnection; log: Logger; metrics: MeshMetrics }

/** Its numbers may be of two moments. */
const SECOND_LOOK_MS = 1000
/** Where setting a durable back does not put its numbers right, doing it again and again would repeat its events for ever. */
const PATIENCE_MS = 600_000
/** What could not be acted upon is read again. */
const AGAIN_MS = 5000

export class GivenUpLeader {
  readonly #deps: LeaderDeps
  readonly #capture: AdvisoryCapture
  /** By stream and durable. */
  readonly #last = new Map<string, LastSetBack>()
  readonly #doubted = new Map<string, number>()

  constructor(deps: LeaderDeps) {
    this.#deps = deps
    this.#capture = new AdvisoryCapture(deps)
  }

  /** Looks, then listens until the next look is due, until `signal` aborts. @throws what the server says when it lets nobody look */
  async lead(everyMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const dueAt = performance.now() + everyMs
      await this.sweep(signal)
      for (let ms = everyMs; ms > 0 && !signal.aborted; ms = dueAt - performance.now()) {
        const isHeard = await this.#capture.hear((message) => this.#onTold(message), { ms, signal })
        if (!isHeard) await sleep(ms, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  /** One look at all durables. Needs `$JS.API.STREAM.LIST` and `$JS.API.CONSUMER.LIST.<stream>`. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { nc, names } = this.#deps
    const own = await ownStreams(nc, names)
    await this.#capture.ensure(own)
    for (const stream of own.streams)
      for (const durable of await ownDurables(nc, stream)) {
        if (signal.aborted) return
        if (await this.#mayHaveGivenUp(durable)) await this.#tryToBringBack(durable, 'sweep')
      }
  }

  async #mayHaveGivenUp(durable: OwnDurable): Promise<boolean> {
    if (durable.floor.mostDeliveries < Infinity) return true
    if (!hasMoreRedelivered(durable)) return false
    await sleep(SECOND_LOOK_MS)
    const again = await findDurable(this.#deps.nc, durable)
    const key = keyOf(durable)
    if (!again || !hasMoreRedelivered(again)) return false
    const before = this.#doubted.get(key)
    if (before !== undefined && performance.now() - before < PATIENCE_MS) return false
    this.#doubted.set(key, performance.now())
    return true
  }

  async #onTold(message: JsMsg): Promise<void> {
    const told = readAdvisory(message.string())
    if (!told || isCovered(told, this.#last.get(keyOf(told)))) return message.ack()
    try {
      const durable = await findDurable(this.#deps.nc, told)
      if (durable) await this.#bringBack(durable, 'advisory', told)
      message.ack()
    } catch (error) {
      this.#deps.log.warn({ ...told, err: error }, 'what the server gave up cannot be brought back; trying again')
      message.nak(AGAIN_MS)
    }
  }

  /** Never throws: the others are looked after all the same, and this one at the next look. */
  async #tryToBringBack(durable: OwnDurable, by: 'sweep'): Promise<void> {
    try {
      await this.#bringBack(durable, by)
    } catch (error) {
      const { stream, durable: name, labels } = durable
      const fields = { ...labels, stream, durable: name, err: error }
      this.#deps.log.warn(fields, 'what the server gave up cannot be brought back; trying again')
    }
  }

  async #bringBack(durable: OwnDurable, by: 'advisory' | 'sweep', told?: { seq: number; at: string }): Promise<void> {
    const done = await bringBack(this.#deps, durable, told)
    if (!done) return
    const { stream, durable: name, labels } = durable
    this.#last.set(keyOf(durable), done)
    this.#deps.metrics.broughtBack(labels, by)
    this.#deps.log.error({ ...labels, stream, durable: name, from: done.from, by, seq: told?.seq }, GIVEN_UP)
  }
}

const keyOf = ({ stream, durable }: { stream: string; durable: string }): string => `${stream} ${durable}`

/** Only what was given up counts as delivered again and is not unanswered (nats-server 2.15). */
const hasMoreRedelivered = ({ floor }: OwnDurable): boolean => floor.redelivered > floor.ackPending
