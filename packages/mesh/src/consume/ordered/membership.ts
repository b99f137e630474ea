/**
 * This instance's place among those that share a handler's partitions: a key with a time to live.
 *
 * L1  While `holds` is true, the server has had this instance's key without a break since `join()`, so nobody took what is
 *     its own. It turns false a margin before the server would let the key go, by this machine's clocks alone.
 * L2  A renewal replaces exactly the one before it (compare-and-set). If the key was gone in between, the renewal fails
 *     and the lease is over for good: `onLost`, whatever the clocks say.
 * L3  A renewal that was stored although its answer was lost counts from when the first one of the same place was sent: any
 *     of those may be the one the server has.
 */
import type { ConnectionWatch } from '../../lifecycle/connection-watch.ts'
import { LeaseClock, type Moment } from './lease-clock.ts'
import type { PartitionStore } from './partition-store.ts'

export type MembershipOptions = {
  store: PartitionStore
  connection: ConnectionWatch
  instance: string
  /** Whole seconds, in ms. */
  leaseMs: number
  /** Others may have had what was this instance's. */
  onLost: () => void
  /** It holds again, after it was in doubt. */
  onHolds: () => void
}

export class Membership {
  readonly #options: MembershipOptions
  readonly #clock: LeaseClock
  /** Of the key as it is now; 0 when there is none. */
  #revision = 0
  /** When the first renewal of that revision was sent that has no answer yet. */
  #unansweredSince: Moment | undefined
  #waiters: (() => void)[] = []
  #wasInDoubt = false
  #losses = 0
  #renewing: Promise<void> | undefined

  constructor(options: MembershipOptions) {
    this.#options = options
    // A renewal that comes this late may find the key gone.
    this.#clock = new LeaseClock(options.leaseMs, Math.max(250, options.leaseMs / 5))
  }

  /** Upholds L1. */
  get holds(): boolean {
    const holds = this.#clock.holds
    if (!holds) this.#wasInDoubt = true
    return holds
  }

  /** How often the lease was lost: what was begun under another count is void. */
  get losses(): number {
    return this.#losses
  }

  /** Resolves when it holds, or when `signal` aborts: then it will not for whoever waits. */
  async untilHolds(signal: AbortSignal): Promise<void> {
    while (!this.holds && !signal.aborted) {
      const turn = Promise.withResolvers<void>()
      this.#waiters.push(turn.resolve)
      const onAbort = (): void => turn.resolve()
      signal.addEventListener('abort', onAbort)
      await turn.promise
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Joins, or stays. One at a time: two would contradict each other. @throws when the server does not answer */
  renew(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined
    })
    return this.#renewing
  }

  async #renew(): Promise<void> {
    const { store, instance, leaseMs } = this.#options
    for (;;) {
      const sentAt = this.#clock.now()
      const firstSentAt = (this.#unansweredSince ??= sentAt)
      const before = this.#revision
      const written = await store.announce(instance, { revision: before, leaseMs, timeoutMs: leaseMs / 2 })
      const revision = written ?? (await this.#ownAfterAll(before))
      this.#unansweredSince = undefined
      if (revision === undefined) {
        await this.#lose()
        continue
      }
      this.#revision = revision
      // Upholds L3. Where the server has just stored it, it had none of those before.
      this.#clock.renewed(written === undefined ? firstSentAt : sentAt)
      break
    }
    for (const resolve of this.#waiters.splice(0)) resolve()
    if (!this.holds || !this.#wasInDoubt) return
    this.#wasInDoubt = false
    this.#options.onHolds()
  }

  async leave(): Promise<void> {
    await this.#renewing?.catch(() => undefined)
    this.#clock.lost()
    if (this.#options.connection.isUp()) await this.#options.store.withdraw(this.#options.instance)
  }

  /** The answer to a renewal was lost and it was sent again: then the key is this renewal's own, and there was no break. */
  async #ownAfterAll(before: number): Promise<number | undefined> {
    const found = await this.#options.store.announced(this.#options.instance)
    return found && found.said === String(before) && found.revision > before ? found.revision : undefined
  }

  /** Upholds L2. */
  async #lose(): Promise<void> {
    const had = this.#revision !== 0
    this.#clock.lost()
    this.#losses++
    if (had) this.#options.onLost()
    this.#revision = (await this.#options.store.announced(this.#options.instance))?.revision ?? 0
  }
}
