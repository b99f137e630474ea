import type { ClickHouseClient } from '@clickhouse/client'
import {
  JetStreamApiCodes,
  JetStreamApiError,
  jetstreamManager,
  type JetStreamManager,
  type StreamInfo,
} from '@nats-io/jetstream'
import type { LeaseBucket } from '@malha/mesh'
import type { NatsConnection } from '@nats-io/transport-node'
import { type ClickHouseOptions, connectClickHouse, hostOf } from './clickhouse/connect.ts'
import { select } from './clickhouse/run.ts'
import { ArchiveError, reasonOf } from './errors.ts'
import { openLeaseBucket } from './lease/lease-bucket.ts'
import { keepFloors } from './floors/floor-keeper.ts'
import { archiveMetrics } from './metrics.ts'
import { checkNamespace } from './naming.ts'
import { type ArchiveOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { backoffMs, pause } from './pause.ts'
import { migrate } from './schema/migrate.ts'
import { LagWatch, observeQuietly } from './watch/lag-watch.ts'
import type { WriterDeps } from './write/deps.ts'
import type { Gap } from './write/gaps.ts'
import type { WriterState } from './write/progress.ts'
import { isArchived } from './write/stream-info.ts'
import { StreamWriter } from './write/stream-writer.ts'

/** Whose streams are archived: a connection, and the namespace of the mesh on it (`''`: none). */
export type ArchiveSource = { readonly nats: NatsConnection; readonly namespace?: string }

export type ArchiveHealth = {
  /** True while every event that comes is being stored, or another process stores it and this one could take over. */
  readonly ready: boolean
  /** Why not, a sentence each. */
  readonly reasons: readonly string[]
  readonly streams: Readonly<Record<string, WriterState['kind']>>
}

export type RunningArchive = AsyncDisposable & {
  /** Stores what has been received, within `stopMs`, gives the leases back and closes the ClickHouse client. */
  stop(): Promise<void>
  health(): ArchiveHealth
}

/**
 * Archives every stream of the namespace, those that come later too, until `stop()`. Returns at once: ClickHouse may be
 * away, it is tried for ever, and the events wait in their streams. The NATS connection is the caller's to close.
 * @throws ArchiveError ARCHIVE_INVALID_OPTIONS
 */
export function archiveStreams(
  source: ArchiveSource,
  clickhouse: ClickHouseOptions,
  options: ArchiveOptions = {},
): RunningArchive {
  return new Archiver(source, clickhouse, resolveOptions(options))
}

type Watched = { readonly writer: StreamWriter; readonly deps: WriterDeps; readonly watch: LagWatch }
type Connected = { readonly jsm: JetStreamManager; readonly leases: LeaseBucket }

class Archiver implements RunningArchive {
  readonly #nats: NatsConnection
  readonly #namespace: string
  readonly #options: ResolvedOptions
  readonly #host: string
  readonly #client: ClickHouseClient
  readonly #metrics: ReturnType<typeof archiveMetrics>
  readonly #stopping = new AbortController()
  readonly #writers = new Map<string, Watched>()
  readonly #gaps = new Set<string>()
  readonly #done: Promise<void>
  #schema: Promise<void> | undefined
  #schemaFault: string | undefined
  #clickhouseFault: string | undefined = 'not asked yet'
  #natsFault: string | undefined = 'streams not listed yet'
  #stopped: Promise<void> | undefined

  constructor(source: ArchiveSource, clickhouse: ClickHouseOptions, options: ResolvedOptions) {
    this.#nats = source.nats
    this.#namespace = checkNamespace(source.namespace ?? '')
    this.#options = options
    this.#host = hostOf(clickhouse.url)
    this.#client = connectClickHouse(clickhouse, 'write', options.log)
    this.#metrics = archiveMetrics(options.metrics)
    this.#done = this.#run()
  }

  health(): ArchiveHealth {
    const reasons: string[] = []
    if (this.#natsFault !== undefined) reasons.push(`NATS: ${this.#natsFault}`)
    if (this.#clickhouseFault !== undefined) reasons.push(`ClickHouse at ${this.#host}: ${this.#clickhouseFault}`)
    const streams: Record<string, WriterState['kind']> = {}
    for (const [name, { writer }] of this.#writers) {
      const { state } = writer.progress
      streams[name] = state.kind
      if (state.kind === 'starting') reasons.push(`stream ${name}: starting`)
      if (state.kind === 'failing')
        reasons.push(
          `stream ${name}: not stored since ${new Date(state.since).toISOString()} (${state.attempts} tries): ${state.reason}`,
        )
    }
    if (this.#stopping.signal.aborted) reasons.push('stopping')
    return { ready: reasons.length === 0, reasons, streams }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    await this.#done
    await Promise.all([...this.#writers.values()].map(({ writer }) => writer.stop()))
    await this.#client.close()
  }

  async #run(): Promise<void> {
    const connected = await this.#connect()
    if (!connected) return
    const floors = this.#keepFloors(connected)
    while (!this.#stopping.signal.aborted) {
      await Promise.all([this.#round(connected), this.#askClickHouse(connected)])
      await pause(this.#options.pollMs, this.#stopping.signal)
    }
    await floors
  }

  async #keepFloors({ jsm, leases }: Connected): Promise<void> {
    const ensureSchema = async (): Promise<void> => await this.#ensureSchema(leases)
    const own = { client: this.#client, namespace: this.#namespace, options: this.#options, metrics: this.#metrics }
    await keepFloors({ jsm, leases, ensureSchema, ...own }, this.#stopping.signal)
  }

  async #connect(): Promise<Connected | undefined> {
    for (let attempt = 1; !this.#stopping.signal.aborted; attempt += 1) {
      try {
        const jsm = await jetstreamManager(this.#nats, { checkAPI: false, timeout: 5_000 })
        const leases = await openLeaseBucket(this.#nats, this.#namespace, this.#options.bucket)
        return { jsm, leases }
      } catch (error) {
        this.#natsFault = reasonOf(error)
        this.#options.log.warn({ reason: this.#natsFault }, 'archive: the lease bucket is not open yet, trying again')
        await pause(backoffMs(attempt, { fromMs: 250, toMs: 5_000 }), this.#stopping.signal)
      }
    }
    return undefined
  }

  async #round(connected: Connected): Promise<void> {
    try {
      const infos = await this.#list(connected.jsm)
      this.#natsFault = undefined
      for (const info of infos) this.#watch(connected, info.config.name)
      await this.#dropMissing(connected.jsm, new Set(infos.map((info) => info.config.name)))
      await Promise.all(
        infos.map(async (info) => {
          const watched = this.#writers.get(info.config.name)
          if (watched) await observeQuietly(watched.watch, info, watched.deps)
        }),
      )
    } catch (error) {
      this.#natsFault = reasonOf(error)
    }
  }

  async #list(jsm: JetStreamManager): Promise<StreamInfo[]> {
    const infos: StreamInfo[] = []
    for await (const info of jsm.streams.list()) if (isArchived(info, this.#namespace)) infos.push(info)
    return infos
  }

  #watch(connected: Connected, stream: string): void {
    if (this.#writers.has(stream) || this.#stopping.signal.aborted) return
    const deps: WriterDeps = {
      ...connected,
      nats: this.#nats,
      client: this.#client,
      stream,
      options: this.#options,
      log: this.#options.log,
      metrics: this.#metrics,
      ensureSchema: async () => await this.#ensureSchema(connected.leases),
      schemaGone: () => {
        this.#schema = undefined
      },
      on: { gap: (gap) => this.#gap(gap) },
    }
    const writer = new StreamWriter(deps)
    this.#writers.set(stream, { writer, deps, watch: new LagWatch(deps, writer.progress) })
  }

  async #dropMissing(jsm: JetStreamManager, present: ReadonlySet<string>): Promise<void> {
    const missing = [...this.#writers].filter(([name]) => !present.has(name))
    await Promise.all(missing.map(([name, watched]) => this.#dropIfGone(jsm, name, watched)))
  }

  /** A list lacks what has no leader at the moment, too. */
  async #dropIfGone(jsm: JetStreamManager, name: string, { writer, watch }: Watched): Promise<void> {
    if (!(await isGone(jsm, name))) return
    this.#writers.delete(name)
    this.#options.log.warn({ stream: name }, 'archive: the stream is gone; its archived events stay')
    await writer.stop()
    watch.clear()
  }

  async #askClickHouse(connected: Connected): Promise<void> {
    try {
      await this.#ensureSchema(connected.leases)
      await select(this.#client, 'SELECT 1 AS one')
      this.#clickhouseFault = undefined
    } catch (error) {
      this.#clickhouseFault = reasonOf(error)
    }
  }

  async #ensureSchema(leases: LeaseBucket): Promise<void> {
    this.#schema ??= migrate(this.#client, leases, { log: this.#options.log }).then(() => undefined)
    const schema = this.#schema
    try {
      await schema
    } catch (error) {
      if (this.#schema === schema) this.#schema = undefined
      const reason = reasonOf(error)
      if (error instanceof ArchiveError && reason !== this.#schemaFault)
        this.#options.log.error({ reason }, 'archive: the tables can not be brought up to date, so nothing is archived')
      this.#schemaFault = reason
      throw error
    }
  }

  #gap(gap: Gap): void {
    const key = `${gap.stream}:${gap.epoch}:${gap.firstSeq}-${gap.lastSeq}`
    if (this.#gaps.has(key)) return
    this.#gaps.add(key)
    const messages = gap.lastSeq - gap.firstSeq + 1
    if (gap.reason === 'deleted') {
      this.#options.log.info(
        { ...gap, messages },
        'archive: events were deleted in the stream before they were archived',
      )
      return
    }
    this.#metrics.gapMessages.add({ stream: gap.stream }, messages)
    this.#options.log.error(
      { ...gap, messages },
      `archive: ${messages} events of stream ${gap.stream} left it before they were archived; recorded in archive.gaps`,
    )
  }
}

/** Whether the server says of a stream that there is none of that name. */
async function isGone(jsm: JetStreamManager, stream: string): Promise<boolean> {
  try {
    await jsm.streams.info(stream)
    return false
  } catch (error) {
    return error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound
  }
}
