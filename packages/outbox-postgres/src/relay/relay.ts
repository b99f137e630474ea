/**
 * Publishes what the outbox holds.
 *
 * O1  A row leaves the table (or is marked published) only after the server's word that it is stored, or after it was
 *     found in its stream.
 * O2  A row is claimed on the session that holds its partition's lock, and `tries` is committed before it is sent: one
 *     that may be in the stream is looked up before it is sent again.
 * O3  Rows of one stream and key: one on its way at a time, in the order of their ids ({@link Horizon} says which are
 *     complete).
 * O4  After a lost session nothing new is started until what is on its way has its answer.
 */
import type { Mesh } from '@malha/mesh'
import { reasonOf } from '../errors.ts'
import { outboxMetrics } from '../metrics.ts'
import type { PgPool } from '../postgres.ts'
import { requireFormat } from '../schema/migrate.ts'
import { type RelayOptions, resolveRelayOptions, type ResolvedRelayOptions } from './options.ts'
import { Session } from './session.ts'
import type { StreamDeps, StreamRelay } from './stream-relay.ts'
import { Turn } from './turn.ts'
import { WakeUp } from './wake-up.ts'

export type RelayHealth = { readonly ready: boolean; readonly reasons: readonly string[] }

export interface RunningRelay extends AsyncDisposable {
  /** For `/readyz`. Rows that wait for the broker are no reason: another process could do no better. */
  health(): RelayHealth
  /** Starts nothing new, waits for what is on its way (`stopMs`), gives its partitions back. Safe to call twice. */
  stop(): Promise<void>
}

/**
 * Publishes rows of the outbox until `stop()`. Returns at once; while PostgreSQL or the broker is away it goes on trying.
 * Any number of relays may run: they share the work by partition. It takes one connection of the pool for itself, which
 * must lead to PostgreSQL without a pooler that shares sessions. Needs PostgreSQL 14 or newer.
 * @throws OutboxError OUTBOX_INVALID_OPTIONS
 */
export function relayOutbox(mesh: Mesh, pool: PgPool, options: RelayOptions = {}): RunningRelay {
  return new Relay(mesh, pool, resolveRelayOptions(options, mesh.log))
}

class Relay implements RunningRelay {
  readonly #pool: PgPool
  readonly #options: ResolvedRelayOptions
  readonly #streams = new Map<string, StreamRelay>()
  readonly #wakeUp = new WakeUp()
  readonly #deps: StreamDeps
  readonly #done: Promise<void>
  #stopping = false
  #fault: string | undefined = 'not connected yet'
  #stopped: Promise<void> | undefined

  constructor(mesh: Mesh, pool: PgPool, options: ResolvedRelayOptions) {
    this.#pool = pool
    this.#options = options
    this.#deps = {
      mesh,
      log: options.log,
      metrics: outboxMetrics(options.metrics, options.names.schema),
      publishMs: options.publishMs,
      wake: () => this.#wakeUp.call(),
      isStopping: () => this.#stopping,
    }
    this.#done = this.#run()
  }

  health(): RelayHealth {
    const reasons = [
      ...(this.#stopping ? ['stopping'] : []),
      ...(this.#fault === undefined ? [] : [`outbox: ${this.#fault}`]),
    ]
    return { ready: reasons.length === 0, reasons }
  }

  stop(): Promise<void> {
    this.#stopping = true
    this.#wakeUp.call()
    this.#stopped ??= this.#done
    return this.#stopped
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#stopping;) {
      try {
        await this.#session(() => (failures = 0))
      } catch (error) {
        failures += 1
        if (this.#stopping) return
        this.#tell(error, failures)
        this.#wakeUp.taken()
        await this.#wakeUp.wait(Math.min(5_000, 100 * 2 ** Math.min(failures, 6)))
      }
    }
  }

  #tell(error: unknown, failures: number): void {
    const reason = reasonOf(error)
    const isNew = reason !== this.#fault
    this.#fault = reason
    if (isNew || failures % 20 === 0)
      this.#options.log.warn({ reason, failures }, 'outbox: no work is possible on PostgreSQL now; trying again')
  }

  async #session(onReady: () => void): Promise<void> {
    const { names, sessionMs } = this.#options
    let lost: Error | undefined
    const session = await Session.open(this.#pool, {
      names,
      sessionMs,
      onNotify: (stream) => this.#wakeUp.call(stream),
      onLost: (reason) => {
        lost = reason
        this.#wakeUp.call()
      },
    })
    try {
      await requireFormat(session, names)
      const turn = new Turn(session, { options: this.#options, streams: this.#streams, deps: this.#deps })
      await turn.begin()
      onReady()
      if (this.#fault !== undefined) this.#options.log.info({ schema: names.schema }, 'outbox: relaying')
      this.#fault = undefined
      while (!this.#stopping && !session.isLost) {
        const waitMs = await turn.step(this.#wakeUp.taken())
        if (waitMs > 0) await this.#wakeUp.wait(waitMs)
      }
      if (lost) throw lost
      await this.#finish(session, turn)
    } finally {
      if (!this.#stopping) await this.#settled(Infinity)
      for (const stream of this.#streams.values()) stream.restart()
      session.close()
    }
  }

  async #finish(session: Session, turn: Turn): Promise<void> {
    await this.#settled(this.#options.stopMs)
    if (!session.isLost) await turn.flush()
  }

  /** Upholds O4. */
  async #settled(withinMs: number): Promise<void> {
    const idle = Promise.all([...this.#streams.values()].map((stream) => stream.idle()))
    if (withinMs === Infinity) return void (await idle)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)))
    await Promise.race([idle, late])
    clearTimeout(timer)
  }
}
