/**
 * Keeps the handlers of a service as operators want them (docs/adr/0025-a-pause-is-kept-beside-the-consumers.md).
 *
 * C1  What is wanted stands in the bucket `HANDLERS`. A message on `_malha.control.<service>` makes each instance look at once; one
 *     that did not hear it looks by itself, every half a minute and whenever its connection is back.
 * C2  Nothing starts before the bucket, or its absence, was seen once: a paused handler does not run at each restart.
 * C3  What cannot be read changes nothing: what was known holds. Who may not read is told so once, and his handlers run.
 */
import type { NatsConnection, Subscription } from '@nats-io/transport-node'
import { permissionViolation } from '../lifecycle/connect-errors.ts'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import type { ServerClock } from '../lifecycle/server-clock.ts'
import type { Logger } from '../observe/logger.ts'
import { deniedSubject } from '../topology/api-errors.ts'
import { HANDLERS, type Names } from '../topology/names.ts'
import type { Controlled } from './controlled.ts'
import { readControls } from './handler-control.ts'

export type ControlOptions = {
  nc: NatsConnection
  connection: ConnectionWatch
  names: Names
  log: Logger
  clock: ServerClock
  service: string
  handlers: readonly Controlled[]
  /** Something was sent to a handler of that name, or said of its letters. */
  onSent: (handler: string) => void
}

const LOOK_MS = 30_000
const AGAIN_MS = 1000

/** Whether a service was refused what only this needs: that is told in a line of its own. */
export function isOfControl(names: Names, refusal: Error): boolean {
  const denied = permissionViolation(refusal)
  if (denied?.operation === 'publish') return denied.subject === `$JS.API.STREAM.MSG.GET.KV_${names.bucket(HANDLERS)}`
  return [names.control(''), names.status('')].some((start) => denied?.subject.startsWith(start))
}

export class Control {
  readonly #options: ControlOptions
  readonly #unlisten: () => void
  readonly #timer: NodeJS.Timeout
  readonly #nudges: Subscription
  #again: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #mustLook = false
  #isKnown = false
  /** The last subject that this user may not use; tried again when the connection was made anew. */
  #denied: string | undefined
  #mayRead = true
  #fault: string | undefined
  #isStopped = false

  constructor(options: ControlOptions) {
    const { nc, connection, names, service } = options
    this.#options = options
    this.#timer = setInterval(() => void this.look(), LOOK_MS)
    this.#unlisten = connection.listen({
      up: () => {
        this.#denied = undefined
        this.#mayRead = true
        void this.look()
      },
    })
    const subject = names.control(service)
    this.#nudges = nc.subscribe(subject, {
      callback: (refused, { data }) => {
        if (refused) this.#sayDenied(subject, 'what is said of its handlers is seen half a minute late')
        else if (data.length > 0) options.onSent(Buffer.from(data).toString())
        else void this.look()
      },
    })
  }

  /** Why the handlers do not start; empty when that is not for want of knowing. */
  faults(): string[] {
    if (this.#isKnown) return []
    return [`nothing starts before it is known which handlers are paused: ${this.#fault ?? 'not looked at yet'}`]
  }

  /** What this user may not use, so that his process hears late, or never, what is said of its handlers. */
  get denied(): string | undefined {
    return this.#denied
  }

  /** Reads what is wanted, and does it. Never throws; what fails is tried again. */
  look(): Promise<void> {
    this.#mustLook = true
    return (this.#looking ??= this.#looks().finally(() => {
      this.#looking = undefined
    }))
  }

  stop(): void {
    this.#isStopped = true
    this.#nudges.unsubscribe()
    this.#unlisten()
    clearInterval(this.#timer)
    clearTimeout(this.#again)
    for (const one of this.#options.handlers) one.stop()
  }

  async #looks(): Promise<void> {
    while (this.#mustLook && this.#mayRead && !this.#isStopped && !this.#options.nc.isClosed()) {
      this.#mustLook = false
      try {
        await this.#read()
      } catch (error) {
        this.#onError(error)
      }
    }
  }

  async #read(): Promise<void> {
    const { service, handlers, clock } = this.#options
    const said = await readControls(this.#options, service)
    if (said.some(({ control }) => control?.paused?.until)) await clock.now().catch(() => undefined)
    this.#isKnown = true
    this.#fault = undefined
    for (const one of handlers) one.hear(said.find(({ handler }) => handler === one.handler))
  }

  /** Upholds C3. */
  #onError(error: unknown): void {
    const { nc, log, service, handlers } = this.#options
    if (nc.isClosed() || this.#isStopped) return
    const subject = deniedSubject(error)
    if (subject !== undefined) {
      this.#mayRead = false
      this.#sayDenied(subject, 'nobody can pause its handlers or change their limits')
      // Of one that knew it before, what it knew holds.
      if (!this.#isKnown) for (const one of handlers) one.hear(undefined)
      this.#isKnown = true
      return
    }
    const fault = error instanceof Error ? error.message : String(error)
    if (fault !== this.#fault) log.warn({ service, err: error }, 'which handlers are paused cannot be read; again')
    this.#fault = fault
    clearTimeout(this.#again)
    this.#again = setTimeout(() => void this.look(), AGAIN_MS)
  }

  #sayDenied(subject: string, then: string): void {
    const { log, service } = this.#options
    this.#denied = subject
    log.warn({ service, subject }, `this user may not use ${subject}, so ${then}; grant it`)
  }
}
