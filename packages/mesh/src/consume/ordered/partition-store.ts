/** Records of a handler's partitions and of its instances, in the bucket MESH_PARTITIONS (docs/reference/wire.md). */
import type { NatsConnection } from '@nats-io/transport-node'
import { jetstreamManager } from '@nats-io/jetstream'
import { HEADER } from '../../message/headers.ts'
import type { PublishPipeline } from '../../publish/pipeline.ts'
import { ERR_CODE, PublishRefused } from '../../publish/pub-ack.ts'
import { getStored, type StoredMessage } from '../../read/stored-message.ts'
import { decodeRecord, encodeRecord, type PartitionRecord } from './partition-record.ts'

export type StoredRecord = { record: PartitionRecord; revision: number }

/** Where a handler began, so that a partition without a record of its own is known. */
export type Beginning = {
  /** The event stream, with the namespace. */
  stream: string
  epoch: number
  partitions: number
  /** All up to here is not for this handler. */ read: number
}

export type StoreOptions = {
  nc: NatsConnection
  pipeline: PublishPipeline
  /** The bucket, as the server names it. */
  bucket: string
  /** `<service>_<handler>`, with the namespace: the first token of its keys. */
  handler: string
}

/** The instances of a handler, sorted. One that leaves keeps what it is still working on, and gets nothing. */
export type Members = { here: readonly string[]; staying: readonly string[] }

const REQUEST_MS = 5000
const LEAVES = 'leaves'
/** Longer than any service takes to stop. */
const LEAVES_TTL = '600s'
const encoder = new TextEncoder()

export class PartitionStore {
  readonly #options: StoreOptions
  readonly #stream: string
  readonly #prefix: string

  constructor(options: StoreOptions) {
    this.#options = options
    this.#stream = `KV_${options.bucket}`
    this.#prefix = `$KV.${options.bucket}.${options.handler}`
  }

  /** Where a nudge is published: something changed that others wait for. */
  get nudgeSubject(): string {
    return `${this.#prefix}.nudge`
  }

  /**
   * Writes a partition's record if its revision is still `revision` (0: if there is none). Returns the new revision;
   * undefined when somebody wrote since.
   */
  write(
    partition: number,
    record: PartitionRecord,
    expected: { revision: number; timeoutMs: number },
  ): Promise<number | undefined> {
    return this.#put(`at.${partition}`, encodeRecord(record), expected)
  }

  /** One record, from the bucket's leader. */
  async read(partition: number): Promise<StoredRecord | undefined> {
    const stored = await this.#get(`at.${partition}`)
    return stored && { record: decodeRecord(stored.payload.toString()), revision: stored.seq }
  }

  /** All records, from any replica: a little old perhaps, which `write` finds out. */
  async readAll(): Promise<Map<number, StoredRecord>> {
    const jsm = await jetstreamManager(this.#options.nc, { checkAPI: false, timeout: REQUEST_MS })
    const found = new Map<number, StoredRecord>()
    const all = await jsm.direct.getLastMessagesFor(this.#stream, { multi_last: [`${this.#prefix}.at.*`] })
    for await (const message of all)
      found.set(Number(message.subject.slice(this.#prefix.length + 4)), {
        record: decodeRecord(message.string()),
        revision: message.seq,
      })
    return found
  }

  async readBeginning(): Promise<Beginning | undefined> {
    const stored = await this.#get('begin')
    return stored && (JSON.parse(stored.payload.toString()) as Beginning)
  }

  /** The first one counts; returns it. */
  async begin(beginning: Beginning): Promise<Beginning> {
    await this.#put('begin', JSON.stringify({ v: 1, ...beginning }), { revision: 0, timeoutMs: REQUEST_MS })
    const stored = await this.readBeginning()
    if (!stored) throw new Error('where this handler begins was written, and is not there')
    return stored
  }

  /**
   * Says that an instance is here, for `leaseMs` (whole seconds) from when the server has it. Returns the revision;
   * undefined when `revision` is not the newest any more: the lease was over in between.
   */
  announce(instance: string, { revision, leaseMs, timeoutMs }: AnnounceOptions): Promise<number | undefined> {
    return this.#put(`here.${instance}`, String(revision), {
      revision,
      timeoutMs,
      more: [['Nats-TTL', `${Math.round(leaseMs / 1000)}s`]],
    })
  }

  /** The revision of an instance's announcement; undefined when there is none. */
  async announced(instance: string): Promise<{ revision: number; said: string } | undefined> {
    const stored = await this.#get(`here.${instance}`)
    return stored && { revision: stored.seq, said: stored.payload.toString() }
  }

  /** Says that an instance is here only to end what it has begun. */
  async announceLeaving(instance: string): Promise<void> {
    const more: [string, string][] = [['Nats-TTL', LEAVES_TTL]]
    await this.#put(`here.${instance}.${LEAVES}`, '', { revision: 0, timeoutMs: REQUEST_MS, more })
  }

  /** Takes an instance's announcements back. */
  async withdraw(instance: string): Promise<void> {
    const own = `${this.#prefix}.here.${instance}`
    for (const filter of [own, `${own}.${LEAVES}`]) await this.#request(`STREAM.PURGE.${this.#stream}`, { filter })
  }

  /** Who is here, and who of those stays, from the bucket's leader; sorted. */
  async members(): Promise<Members> {
    const filter = `${this.#prefix}.here.>`
    const info = await this.#request<StreamAnswer>(`STREAM.INFO.${this.#stream}`, { subjects_filter: filter })
    const said = new Set(Object.keys(info.state?.subjects ?? {}).map((subject) => subject.slice(filter.length - 1)))
    const announced = [...said].filter((name) => !name.endsWith(`.${LEAVES}`)).sort()
    const revived = await this.#revived(announced, Date.parse(info.ts ?? ''))
    const here = announced.filter((name) => !revived.has(name))
    return { here, staying: here.filter((name) => !said.has(`${name}.${LEAVES}`)) }
  }

  /**
   * Instances whose lease ended long ago by the server's own clock. A broker that was killed gives back what it had let go,
   * and keeps it for good (nats-server issue 8505): nobody would ever take what such an instance should have.
   */
  async #revived(names: readonly string[], serverMs: number): Promise<Set<string>> {
    const revived = new Set<string>()
    if (names.length === 0) return revived
    const jsm = await jetstreamManager(this.#options.nc, { checkAPI: false, timeout: REQUEST_MS })
    // From any replica: what looks old there may have been renewed since.
    const all = await jsm.direct.getLastMessagesFor(this.#stream, { multi_last: [`${this.#prefix}.here.*`] })
    const old: string[] = []
    for await (const message of all)
      if (isOver({ time: message.time.getTime(), ttl: message.header.get(HEADER.ttl) }, serverMs))
        old.push(message.subject.slice(this.#prefix.length + 6))
    for (const name of old) {
      const stored = await this.#get(`here.${name}`)
      if (!stored || !isOver({ time: Date.parse(stored.time), ttl: stored.headers['nats-ttl'] ?? '' }, serverMs))
        continue
      revived.add(name)
      // Exactly this one: the instance may announce itself at this very moment.
      const filter = `${this.#prefix}.here.${name}`
      await this.#request(`STREAM.PURGE.${this.#stream}`, { filter, seq: stored.seq + 1 })
    }
    return revived
  }

  /** Tells the others to look now. */
  nudge(): void {
    const { nc } = this.#options
    if (!nc.isClosed() && !nc.isDraining()) nc.publish(this.nudgeSubject, '')
  }

  async #put(
    key: string,
    text: string,
    { revision, timeoutMs, more = [] }: { revision: number; timeoutMs: number; more?: [string, string][] },
  ): Promise<number | undefined> {
    try {
      const ack = await this.#options.pipeline.publish({
        subject: `${this.#prefix}.${key}`,
        payload: encoder.encode(text),
        headers: [[HEADER.expectedLastSubjectSequence, String(revision)], ...more],
        timeoutMs,
      })
      return ack.seq
    } catch (error) {
      if (error instanceof PublishRefused && error.errCode === ERR_CODE.wrongLastSequence) return undefined
      throw error
    }
  }

  #get(key: string): Promise<StoredMessage | undefined> {
    return getStored(this.#options.nc, this.#stream, { last_by_subj: `${this.#prefix}.${key}` })
  }

  async #request<T>(api: string, body: object): Promise<T> {
    const answer = await this.#options.nc.request(`$JS.API.${api}`, JSON.stringify(body), { timeout: REQUEST_MS })
    const reply = answer.json<T & { error?: { description?: string; code?: number } }>()
    if (reply.error) throw new Error(reply.error.description ?? `code ${reply.error.code}`)
    return reply
  }
}

type AnnounceOptions = { revision: number; leaseMs: number; timeoutMs: number }

type StreamAnswer = { ts?: string; state?: { subjects?: Record<string, number> } }

/** Brokers' clocks may differ by this much, and each time to live is granted a second time. */
const CLOCKS_APART_MS = 5000

/** Whether an announcement's time to live, such as `10s`, is over beyond doubt. */
function isOver({ time, ttl }: { time: number; ttl: string }, serverMs: number): boolean {
  const ttlMs = Number(/^(\d+)s$/.exec(ttl)?.[1] ?? Infinity) * 1000
  return serverMs - time > ttlMs + Math.max(ttlMs, CLOCKS_APART_MS)
}
