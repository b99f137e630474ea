/**
 * What is published for later: stores it, and brings what is due to its stream.
 *
 * Whoever runs a service, or published something for later, forwards every type that has a durable, unless its user may
 * not pull there. So an event comes on time as long as anyone of the mesh is there who may bring it.
 */
import { type NatsConnection, PermissionViolationError } from '@nats-io/transport-node'
import type { Settler } from '../consume/settler.ts'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import type { TopologyMode } from '../lifecycle/options.ts'
import type { Logger } from '../observe/logger.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'
import type { PublishPipeline } from '../publish/pipeline.ts'
import type { Outgoing, Published } from '../publish/publisher.ts'
import type { Names } from '../topology/names.ts'
import { allows, type OwnRights } from '../topology/own-rights.ts'
import { FORMAT } from '../topology/system.ts'
import { AlreadyStored } from './already-stored.ts'
import type { Delay } from './delay.ts'
import { ensureDelayDurable } from './durable.ts'
import { Forwarder } from './forwarder.ts'
import type { SlotDeps } from './in-slot.ts'
import { type Delayed, type DelayedOptions, listDelayed } from './listing.ts'
import { Patience } from './patience.ts'
import type { Recurrence } from './recurrence.ts'
import { type Scheduled, storeRecurring } from './recurring.ts'
import { readStream, ServerClock, type StreamReading } from '../lifecycle/server-clock.ts'
import { slotOf } from './slot.ts'
import { takeBack } from './take-back.ts'
import { storeDelayed } from './waiting.ts'

export type DelaysOptions = {
  nc: NatsConnection
  connection: ConnectionWatch
  names: Names
  pipeline: PublishPipeline
  settler: Settler
  metrics: MeshMetrics
  log: Logger
  rights: OwnRights
  inboxPrefix: string
  topology: TopologyMode
}

/** How soon a type is forwarded here that another process began to delay, and how old the gauge may be. */
const LOOK_MS = 10_000
const TAKE_BACK_MS = 30_000

export class Delays {
  readonly #options: DelaysOptions
  readonly #clock: ServerClock
  readonly #stored: AlreadyStored
  readonly #forwarders = new Map<string, Forwarder>()
  readonly #ready = new Map<string, Promise<void>>()
  #epoch = 0
  #look: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #stopped = false
  #serves = false
  readonly #mending = new Set<string>()

  constructor(options: DelaysOptions) {
    const { nc, connection, log } = options
    this.#options = options
    this.#clock = new ServerClock(() => this.#read(), { connection, log })
    this.#stored = new AlreadyStored(nc, this.#clock)
    connection.listen({ up: () => this.#tryDeniedAgain() })
  }

  /**
   * Stores an event that comes later.
   * @throws MeshError MESH_NO_STREAM when there is no stream of delays, MESH_ID_CONFLICT and those of a publish
   */
  async store(out: Outgoing, delay: Delay): Promise<Published> {
    const deps = await this.#prepared(out)
    return await storeDelayed(deps, out, delay)
  }

  /**
   * Makes an event come again and again.
   * @throws MeshError MESH_NO_STREAM when there is no stream of delays, MESH_INVALID_DELAY and those of a publish
   */
  async storeRecurring(out: Outgoing, recurrence: Recurrence): Promise<Scheduled> {
    const deps = await this.#prepared(out)
    return await storeRecurring(deps, out, recurrence)
  }

  /** Takes back what waits under a key or a name. @throws MeshError MESH_INVALID_KEY and those of a publish */
  async takeBack(type: string, kind: '_key' | '_name', name: string): Promise<boolean> {
    return await takeBack(this.#within(type, TAKE_BACK_MS), slotOf(type, kind, name))
  }

  list(type: string | undefined, options: DelayedOptions): Promise<Delayed[]> {
    return listDelayed(this.#options, type, options)
  }

  /** Forwards from now on, whatever this user may. */
  serve(): void {
    this.#serves = true
    if (this.#look || this.#stopped) return
    this.#look = setInterval(() => this.#lookAround(), LOOK_MS)
    this.#lookAround()
  }

  /** A refusal that is no fault: what this user may not forward, or make, others do. */
  isOther(refusal: Error): boolean {
    const { names } = this.#options
    if (!(refusal instanceof PermissionViolationError)) return false
    const api = new RegExp(`^\\$JS\\.API\\.CONSUMER\\.([A-Z.]+)\\.${names.delays()}(\\.|$)`).exec(refusal.subject)?.[1]
    if (api === 'NAMES') {
      clearInterval(this.#look)
      this.#look = undefined
    }
    return api !== undefined
  }

  /** Who was disconnected may have other permissions now. */
  #tryDeniedAgain(): void {
    for (const [type, { isDenied }] of this.#forwarders) if (isDenied) this.#forwarders.delete(type)
    if (this.#serves) this.serve()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#look)
    await this.#looking
    await Promise.all([...this.#forwarders.values()].map((forwarder) => forwarder.stop()))
  }

  async #prepared({ envelope, timeoutMs }: Outgoing): Promise<SlotDeps> {
    const deps = this.#within(envelope.type, timeoutMs)
    await deps.patience.ask(() => this.#prepare(envelope.type))
    return deps
  }

  #within(type: string, timeoutMs: number): SlotDeps {
    const { nc, pipeline, names } = this.#options
    return { nc, pipeline, names, clock: this.#clock, patience: new Patience(nc, type, timeoutMs) }
  }

  /** The durable is there before the first event waits, and this process forwards: it may be the only one that may. */
  #prepare(type: string): Promise<void> {
    let ready = this.#ready.get(type)
    if (!ready) {
      ready = this.#makeReady(type)
      this.#ready.set(type, ready)
      ready.catch(() => this.#ready.delete(type))
    }
    return ready
  }

  async #makeReady(type: string): Promise<void> {
    await ensureDelayDurable(this.#options, type)
    // A dead letter is named after the age of the stream, which this reads.
    await this.#clock.now()
    await this.#forward(type)
    this.serve()
  }

  /** Unless it may not, or does already. */
  async #forward(type: string): Promise<void> {
    if (this.#forwarders.has(type) || !(await this.#mayPull(type))) return
    if (this.#forwarders.has(type) || this.#stopped) return
    const { nc, pipeline, names, log } = this.#options
    const office = { nc, pipeline, names, service: 'malha', serviceVersion: FORMAT, handler: 'delays' }
    const forwarder = new Forwarder({
      ...this.#options,
      clock: this.#clock,
      stored: this.#stored,
      office,
      type,
      epoch: () => this.#epoch,
      onDoubt: (why) => {
        log.debug({ type, why }, 'due events do not come; looking after the durable')
        this.#mend(type)
      },
    })
    this.#forwarders.set(type, forwarder)
  }

  /** Asked, and not tried: what is refused is a line in the server's log, which operators look into. Until it is known, no. */
  async #mayPull(type: string): Promise<boolean> {
    const { rights, names } = this.#options
    const known = await rights.known()
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${names.delays()}.${names.delayDurable(type)}`
    return known !== undefined && allows(known, subject)
  }

  /** Whoever forwards makes a durable again that is gone: who made it first may not be there. */
  #mend(type: string): void {
    if (this.#mending.has(type) || this.#stopped) return
    this.#mending.add(type)
    ensureDelayDurable(this.#options, type)
      .then(() => this.#forward(type))
      .catch((error: unknown) => this.#options.log.debug({ type, err: error }, 'a durable of delays cannot be made'))
      .finally(() => this.#mending.delete(type))
  }

  #lookAround(): void {
    this.#looking ??= this.#lookOnce()
      .catch((error: unknown) => this.#options.log.debug({ err: error }, 'the stream of delays cannot be looked at'))
      .finally(() => (this.#looking = undefined))
  }

  async #lookOnce(): Promise<void> {
    const { nc, names, connection, metrics } = this.#options
    if (!connection.isUp() || nc.isClosed()) return
    const reading = await this.#read(names.delayDue('>'))
    this.#clock.learn(reading)
    metrics.delayed(reading.messages)
    const api = `$JS.API.CONSUMER.NAMES.${names.delays()}`
    const prefix = names.delayDurable('')
    for (let offset = 0; ;) {
      const page = (await nc.request(api, JSON.stringify({ offset }), { timeout: 5000 })).json<NamesPage>()
      const found = page.consumers ?? []
      for (const durable of found)
        if (durable.startsWith(prefix)) await this.#forward(durable.slice(prefix.length).replaceAll('_', '.'))
      offset += found.length
      if (found.length === 0 || offset >= (page.total ?? 0)) break
    }
    // What is due and has no durable.
    const due = names.strip(names.delayDue(''))
    for (const subject of reading.subjects) {
      const type = names.strip(subject).slice(due.length)
      if (!this.#forwarders.has(type) && (await this.#mayPull(type))) this.#mend(type)
    }
  }

  async #read(subjects?: string): Promise<StreamReading> {
    const reading = await readStream(this.#options.nc, this.#options.names.delays(), subjects)
    this.#epoch = reading.epoch
    return reading
  }
}

type NamesPage = { total?: number; consumers?: string[] | null }
