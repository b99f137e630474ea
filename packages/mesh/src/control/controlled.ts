import type { HandlerRunner } from '../consume/handler-runner.ts'
import { limitFaults } from '../consume/rate-limit.ts'
import { LONGEST_TIMER_MS } from '../given.ts'
import type { Logger } from '../observe/logger.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'
import { batchFaults } from '../service/batch-faults.ts'
import type { HandlerDef } from '../service/define.ts'
import { type HandlerControl, type Pause, pauseAt, type StoredControl } from './handler-control.ts'

export type ControlledOptions = {
  handler: string
  def: HandlerDef
  runner: Pick<HandlerRunner, 'adjust' | 'setPaused'>
  labels: { readonly service: string; readonly handler: string }
  log: Logger
  metrics: Pick<MeshMetrics, 'paused'>
  /** The server's clock, unix ms. */
  now: () => number
}

/** One handler of this process, and what is said of it. Nothing of it starts before that is known. */
export class Controlled {
  readonly #options: ControlledOptions
  #control: HandlerControl | undefined
  #pause: Pause | undefined
  #fault: string | undefined
  /** Revision of what is there now and cannot be read. */
  #unreadable: number | undefined
  #end: NodeJS.Timeout | undefined

  constructor(options: ControlledOptions) {
    this.#options = options
    options.runner.setPaused(true)
    options.metrics.paused(options.labels, false)
  }

  get handler(): string {
    return this.#options.handler
  }

  /** The pause that holds now. */
  get pause(): Pause | undefined {
    return this.#pause
  }

  /** Why what is said of it is not done; undefined when it is. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** What stands in the bucket; undefined: nothing. What cannot be read changes nothing. */
  hear(said: StoredControl | undefined): void {
    const before = this.#control
    if (said?.fault !== undefined) this.#onUnreadable(said)
    else {
      this.#control = said?.control
      if (limitsIn(before) !== limitsIn(said?.control)) this.#adjust(said?.control)
      else if (this.#unreadable !== undefined) this.#fault = undefined
    }
    this.#unreadable = said?.fault === undefined ? undefined : said.revision
    this.#judge()
  }

  stop(): void {
    clearTimeout(this.#end)
  }

  /** Whether it is paused by now; looked at again when that ends. */
  #judge(): void {
    const { runner, metrics, labels, now } = this.#options
    clearTimeout(this.#end)
    const pause = pauseAt(this.#control, now())
    const before = this.#pause
    this.#pause = pause
    runner.setPaused(pause !== undefined)
    metrics.paused(labels, pause !== undefined)
    if (JSON.stringify(pause) !== JSON.stringify(before)) this.#say(pause)
    if (!pause?.until) return
    const leftMs = Math.max(0, Date.parse(pause.until) - now())
    this.#end = setTimeout(() => this.#judge(), Math.min(leftMs + 1, LONGEST_TIMER_MS))
  }

  #say(pause: Pause | undefined): void {
    const { log, labels, handler } = this.#options
    if (pause) {
      log.warn({ ...labels, ...pause }, `handler ${handler} is paused`)
      return
    }
    const over = this.#control?.paused
    const why = over ? { until: over.until } : this.#control?.changed
    log.info({ ...labels, ...why }, `handler ${handler} goes on: ${over ? 'its pause is over' : 'it was resumed'}`)
  }

  #adjust(control: HandlerControl | undefined): void {
    const { def, runner, log, labels, handler } = this.#options
    const { concurrency = def.concurrency, rateLimit = def.rateLimit ?? null } = control ?? {}
    const faults = [
      ...limitFaults({ concurrency, rateLimit: rateLimit ?? undefined }),
      ...batchFaults({ ...def, concurrency }),
    ]
    this.#fault = undefined
    if (faults.length > 0) {
      this.#fault = `its limits are not changed: ${faults.join('; ')}`
      log.error({ ...labels, ...control?.changed }, `handler ${handler}: ${this.#fault}`)
      return
    }
    runner.adjust({ concurrency, rateLimit })
    log.info({ ...labels, concurrency, rateLimit, ...control?.changed }, `the limits of ${handler} were changed`)
  }

  #onUnreadable({ fault, revision }: StoredControl): void {
    const isNew = this.#unreadable !== revision
    this.#fault = `what is said of it cannot be read: ${fault}`
    const { log, labels, handler } = this.#options
    if (isNew) log.error({ ...labels, revision }, `handler ${handler}: ${this.#fault}; it stays as it was`)
  }
}

/** To compare: `null` takes the rate limit away, and is another thing than nothing said. */
const limitsIn = ({ concurrency, rateLimit }: Partial<HandlerControl> = {}): string =>
  JSON.stringify([concurrency, rateLimit === undefined ? 'as declared' : rateLimit])
