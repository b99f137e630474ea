import type { SeenHolder } from '@malha/mesh'
import { isSchemaGone } from '../clickhouse/faults.ts'
import { reasonOf } from '../errors.ts'
import { keyOf } from '../lease/lease-bucket.ts'
import { type Lease, tryLease } from '../lease/lease.ts'
import { backoffMs, pause } from '../pause.ts'
import type { WriterDeps } from './deps.ts'
import { Progress } from './progress.ts'
import { runSession } from './session.ts'

/** Archives one stream for as long as it lives: waits for the lease, runs sessions under it, waits again. */
export class StreamWriter {
  readonly #deps: WriterDeps
  readonly #finish = new AbortController()
  readonly #abort = new AbortController()
  readonly #done: Promise<void>
  readonly progress: Progress

  constructor(deps: WriterDeps) {
    this.#deps = deps
    this.progress = new Progress(deps)
    this.#done = this.#run()
  }

  get stream(): string {
    return this.#deps.stream
  }

  /** Stores what has been received, within `stopMs`, and gives the lease back. */
  async stop(): Promise<void> {
    this.#finish.abort()
    const limit = setTimeout(() => this.#abort.abort(), this.#deps.options.stopMs)
    await this.#done
    clearTimeout(limit)
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#finish.signal.aborted;) {
      this.progress.standby()
      const lease = await this.#lease()
      if (!lease) break
      failures = await this.#sessions(lease, failures)
      await lease.release()
    }
    this.progress.standby()
  }

  async #lease(): Promise<Lease | undefined> {
    const { leases, stream, options } = this.#deps
    const key = keyOf('writer', stream)
    const asked = { key, ttlMs: options.leaseMs, holder: options.holder }
    const seen: SeenHolder = {}
    while (!this.#finish.signal.aborted) {
      const lease = await tryLease(leases, asked, seen).catch((error) => {
        this.#deps.log.debug({ stream, reason: reasonOf(error) }, 'archive: no answer about the lease')
        return undefined
      })
      if (lease) return lease
      await pause(Math.min(500, options.leaseMs / 5), this.#finish.signal)
    }
    return undefined
  }

  async #sessions(lease: Lease, failures: number): Promise<number> {
    const abort = AbortSignal.any([this.#abort.signal, lease.lost])
    let failed = failures
    while (!this.#finish.signal.aborted && !lease.lost.aborted) {
      this.progress.starting()
      const before = this.progress.position?.seq
      try {
        const signals = { finish: this.#finish.signal, abort }
        await runSession(this.#deps, lease, { signals, progress: this.progress })
      } catch (error) {
        if (abort.aborted) break
        if (isSchemaGone(error)) this.#deps.schemaGone()
        failed = this.progress.position?.seq === before ? failed + 1 : 1
        this.progress.failed(failed, error)
        await pause(backoffMs(failed, { toMs: 10_000 }), AbortSignal.any([this.#finish.signal, abort]))
      }
    }
    if (lease.lost.aborted && !this.#abort.signal.aborted)
      this.#deps.log.warn({ stream: this.#deps.stream }, 'archive: the lease ran out; nothing more is written under it')
    return failed
  }
}
