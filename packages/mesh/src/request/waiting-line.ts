import type { Job } from './job.ts'

/** Requests that wait here for their turn. Each leaves once: to be begun, or because its time is over or its requester gone. */
export class WaitingLine {
  readonly #onPassed: (job: Job) => void
  readonly #jobs = new Map<Job, () => void>()

  /** `onPassed` is told of each that leaves without its turn. */
  constructor(onPassed: (job: Job) => void) {
    this.#onPassed = onPassed
  }

  get length(): number {
    return this.#jobs.size
  }

  add(job: Job): void {
    const signal = job.session?.signal
    const pass = (): void => {
      this.#leave(job)
      this.#onPassed(job)
    }
    let timer: NodeJS.Timeout
    // A timer may fire up to two milliseconds early: then its requester, who waits no longer than this, would be told to ask again.
    const onTime = (): void => {
      const leftMs = job.expiresAt - performance.now()
      if (leftMs > 0) timer = setTimeout(onTime, leftMs)
      else pass()
    }
    timer = setTimeout(onTime, Math.max(0, job.expiresAt - performance.now()))
    signal?.addEventListener('abort', pass)
    this.#jobs.set(job, () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', pass)
    })
  }

  /** The next one that still may be begun. */
  take(): Job | undefined {
    for (const job of this.#jobs.keys()) {
      this.#leave(job)
      // A process that stood still finds timers late.
      if (performance.now() < job.expiresAt) return job
      this.#onPassed(job)
    }
    return undefined
  }

  /** Nobody's turn comes any more. */
  passAll(): void {
    for (const job of this.#jobs.keys()) {
      this.#leave(job)
      this.#onPassed(job)
    }
  }

  #leave(job: Job): void {
    this.#jobs.get(job)?.()
    this.#jobs.delete(job)
  }
}
