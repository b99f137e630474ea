/**
 * Has one process of a mesh look after what the server gives up, of those that run a service and may: whoever has a lease,
 * a key of the bucket of checkpoints. Where none may, each service looks after its own durables still.
 */
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { jetstream } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import { PermissionViolationError } from '@nats-io/transport-node'
import { type LeaseBucket, type SeenHolder, tryLease } from '../lease/lease.ts'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import type { TopologyMode } from '../lifecycle/options.ts'
import { apiSentence, deniedSubject } from '../topology/api-errors.ts'
import { openCheckpoints } from '../topology/checkpoint.ts'
import { ADVISORIES } from '../topology/names.ts'
import { allows, type OwnRights, type Rights, USER_INFO } from '../topology/own-rights.ts'
import { CHECKPOINT_BUCKET } from '../topology/system.ts'
import { GivenUpLeader, type LeaderDeps } from './given-up-leader.ts'

export type GivenUpWatchOptions = Omit<LeaderDeps, 'checkpoints'> & {
  connection: ConnectionWatch
  rights: OwnRights
  /** Only with `ensure` may durables be changed here. */
  topology: TopologyMode
  /** Of a leader, ms. @default 30_000 */
  sweepMs?: number
  /** How long the lead outlives its process, whole seconds. @default 15_000 */
  leaseMs?: number
  /** Between two tries to lead, ms, and before the first a tenth of it. @default 10_000 */
  tryMs?: number
}

const LEASE_KEY = 'lease.given-up'
/** For a leader's last request when its process stops. */
const STOP_MS = 2000

export class GivenUpWatch {
  readonly #options: Required<GivenUpWatchOptions>
  #services = 0
  #run: { stopping: AbortController; done: Promise<void> } | undefined

  constructor(options: GivenUpWatchOptions) {
    this.#options = { sweepMs: 30_000, leaseMs: 15_000, tryMs: 10_000, ...options }
  }

  /** A service runs here. Returns how to say that it stops. */
  join(): () => Promise<void> {
    this.#services++
    if (this.#options.topology === 'ensure') this.#run ??= this.#start()
    return async () => {
      if (--this.#services === 0) await this.#stop()
    }
  }

  /** A refusal that is no fault: who may not lead leaves it to others. */
  isOther(refusal: Error): boolean {
    if (!(refusal instanceof PermissionViolationError)) return false
    const { names } = this.#options
    const own = [this.#leaseSubject, names.stream(ADVISORIES), USER_INFO]
    return own.some((one) => refusal.subject === one || refusal.subject.split('.').includes(one))
  }

  get #leaseSubject(): string {
    return `$KV.${this.#options.names.bucket(CHECKPOINT_BUCKET)}.${LEASE_KEY}`
  }

  #start(): { stopping: AbortController; done: Promise<void> } {
    const stopping = new AbortController()
    return { stopping, done: this.#campaign(stopping.signal) }
  }

  async #stop(): Promise<void> {
    const run = this.#run
    this.#run = undefined
    run?.stopping.abort()
    await Promise.race([run?.done, sleep(STOP_MS, undefined, { ref: false })])
  }

  /** Never throws. */
  async #campaign(signal: AbortSignal): Promise<void> {
    const { tryMs, connection, rights } = this.#options
    const seen: SeenHolder = {}
    let waitMs = tryMs / 10
    let isAsked = false
    while (!(await isOver(waitMs, signal))) {
      waitMs = tryMs * (1 + Math.random() / 5)
      if (!connection.isUp()) continue
      // A refused write is a line in the server's log, which operators look into.
      const known: Rights | undefined = isAsked ? {} : await rights.known()
      if (known === undefined) continue
      const isKnownNotTo: boolean = !allows(known, this.#leaseSubject)
      isAsked = !isKnownNotTo
      if (isKnownNotTo) this.#sayOthersDo()
      const isDenied = isKnownNotTo || (await this.#tryToLead(seen, signal))
      // Whoever is disconnected may have other rights afterwards.
      if (isDenied) await untilReconnected(connection, signal)
    }
  }

  #sayOthersDo(): void {
    const { names, log } = this.#options
    log.debug(
      { bucket: names.bucket(CHECKPOINT_BUCKET) },
      'what the server gives up is looked after by other processes, and of its own handlers by this one',
    )
  }

  /** Whether this user may not. */
  async #tryToLead(seen: SeenHolder, signal: AbortSignal): Promise<boolean> {
    const { nc, names, log, leaseMs } = this.#options
    try {
      const checkpoints = await openCheckpoints(nc, names)
      const holder = `${hostname()}/${process.pid}`
      const lease = await tryLease(this.#leases(checkpoints), { key: LEASE_KEY, ttlMs: leaseMs, holder }, seen)
      if (!lease) return false
      try {
        await this.#lead(checkpoints, AbortSignal.any([signal, lease.lost]))
      } finally {
        await lease.release()
      }
    } catch (error) {
      if (signal.aborted || nc.isClosed()) return false
      const denied = deniedSubject(error)
      const fields = { bucket: names.bucket(CHECKPOINT_BUCKET), why: apiSentence(error) }
      if (denied === this.#leaseSubject) this.#sayOthersDo()
      else log.warn(fields, 'this process cannot look after what the server gives up; another one may')
      return denied !== undefined
    }
    return false
  }

  async #lead(checkpoints: KV, signal: AbortSignal): Promise<void> {
    const { log, metrics, sweepMs } = this.#options
    log.debug({}, 'this process looks after what the server gives up')
    metrics.leads(true)
    try {
      await new GivenUpLeader({ ...this.#options, checkpoints }).lead(sweepMs, signal)
    } finally {
      metrics.leads(false)
    }
  }

  /** What a replica that lags says of a lease makes its holder let go too soon, never too late: each write is compared. */
  #leases(kv: KV): LeaseBucket {
    const { nc, names } = this.#options
    return { kv, js: jetstream(nc), subject: (key) => `$KV.${names.bucket(CHECKPOINT_BUCKET)}.${key}` }
  }
}

async function isOver(ms: number, signal: AbortSignal): Promise<boolean> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined)
  return signal.aborted
}

async function untilReconnected(connection: ConnectionWatch, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const unlisten = connection.listen({ up: resolve })
  signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
  unlisten()
}
