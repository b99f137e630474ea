import { setTimeout as sleep } from 'node:timers/promises'
import type { Counter, Gauge, Mesh } from '@malha/mesh'
import { type ListedHandler, listHandlers } from '../handlers/list.ts'
import { meshStreams } from '../streams/mesh-streams.ts'
import { BreakerWatch } from './breaker-watch.ts'
import { Claims, type Told } from './claims.ts'
import { beginCounting, countLetters } from './count-letters.ts'
import { fullStreams } from './full-streams.ts'
import { type Owed, readLedger, settled, writeLedger } from './ledger.ts'
import { lowHeadroom } from './low-headroom.ts'
import { type Condition, keyOf, type LettersNotice, type Notice } from './notice.ts'
import { type NotifyOptions, type ResolvedNotify, resolveNotify } from './options.ts'
import { RecordBucket } from './record-bucket.ts'
import { post, type Posted } from './webhook.ts'
import { bodyOf } from './words.ts'

/**
 * Tells people by a webhook. Disposing stops it: a webhook that is being called may answer for 2 s more, what else it was about to tell is
 * left to another one, or to the next start.
 */
export interface Notifier extends AsyncDisposable {
  /** Why it cannot tell, or cannot see what there is to tell; for `/readyz`. */
  health(): { ready: boolean; reasons: string[] }
  stop(): Promise<void>
}

/** Beside the tries of a message: what the server takes to write down how it went, ms. */
const MARGIN_MS = 2000
/** Before a webhook that was away is tried again, ms. */
const AWAY_MS = 5000

/**
 * Tells of letters that come from now on, of breakers, and of streams, until it is stopped. Any number of notifiers may run beside
 * each other: each message is told by one of them. Needs the rights of docs/how-to/be-told.md.
 * @throws OperationsError OPERATIONS_INVALID_OPTIONS; MeshError MESH_TOPOLOGY
 */
export async function startNotifier(mesh: Mesh, options: NotifyOptions): Promise<Notifier> {
  const resolved = resolveNotify(options)
  const bucket = await RecordBucket.open(mesh)
  await beginCounting(mesh, bucket)
  return new Rounds(mesh, bucket, resolved)
}

class Rounds implements Notifier {
  readonly #mesh: Mesh
  readonly #bucket: RecordBucket
  readonly #options: ResolvedNotify
  readonly #claims: Claims
  readonly #breakers: BreakerWatch
  readonly #faults = new Map<string, string>()
  readonly #stopping = new AbortController()
  readonly #told: Counter
  readonly #owed: Gauge
  readonly #ended: Promise<void>
  /** By where they were seen. */
  readonly #conditions = new Map<string, readonly Condition[]>()
  #watchAt = 0
  #restUntil = 0

  constructor(mesh: Mesh, bucket: RecordBucket, options: ResolvedNotify) {
    const { giveUpMs, timeoutMs, quietMs, remindMs, metrics } = options
    this.#mesh = mesh
    this.#bucket = bucket
    this.#options = options
    const leaseMs = giveUpMs + timeoutMs + MARGIN_MS
    const by = `${mesh.nats.info?.client_id ?? 0}@${process.pid}`
    this.#claims = new Claims(bucket, by, { leaseMs, quietMs, keepMs: Math.max(remindMs, quietMs) * 2 })
    this.#breakers = new BreakerWatch(mesh)
    this.#told = metrics.counter({
      name: 'mesh_notifications_total',
      help: 'Messages to people, by what they are about and how they ended: told, away, refused.',
      labels: ['kind', 'outcome'],
    })
    this.#owed = metrics.gauge({
      name: 'mesh_notifications_owed',
      help: 'Groups with letters that people are still to be told of.',
      labels: [],
    })
    this.#ended = this.#run()
  }

  health(): { ready: boolean; reasons: string[] } {
    const reasons = [...this.#faults].map(([what, why]) => `${what}: ${why}`)
    return { ready: reasons.length === 0, reasons }
  }

  stop(): Promise<void> {
    this.#stopping.abort()
    return this.#ended
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      await this.#guarded('the bucket of notifications', () => this.#bucket.syncClock())
      await this.#guarded('dead letters', () => this.#letters())
      if (performance.now() >= this.#watchAt) await this.#watch()
      await this.#guarded('what stands', () => this.#tellConditions())
      await sleep(this.#options.lookMs, undefined, { signal }).catch(() => undefined)
    }
  }

  /** What fails is tried again in the next round; it is said once, until it goes well again. */
  async #guarded(what: string, look: () => Promise<void>): Promise<void> {
    try {
      await look()
      if (this.#faults.delete(what)) this.#mesh.log.info({ what }, `${what} can be looked at again`)
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      const why = error instanceof Error ? error.message : String(error)
      if (this.#faults.get(what) !== why)
        this.#mesh.log.error({ what, err: error }, `${what} cannot be looked at, so nobody is told; trying again`)
      this.#faults.set(what, why)
    }
  }

  async #letters(): Promise<void> {
    const { ledger } = await countLetters(this.#mesh, this.#bucket)
    const owed = Object.entries(ledger.owed)
    this.#owed.set({}, owed.length)
    for (const [group, letters] of owed) {
      if (this.#mayNotSend()) return
      await this.#tellLetters(group, letters)
    }
  }

  async #tellLetters(group: string, seen: Owed): Promise<void> {
    const claim = await this.#claims.take(keyOf(noticeOf(group, seen)), () => true)
    if (!claim) return
    // Another notifier may have told it since it was read, and its quiet time be over.
    const owed = (await readLedger(this.#bucket))?.ledger.owed[group]
    if (!owed) return await this.#claims.leave(claim)
    const isTold = await this.#send(noticeOf(group, owed), { claim, episode: '', level: 0 })
    if (isTold) await this.#settle(group, owed)
  }

  /** Takes what was told off the ledger, whoever else writes it. */
  async #settle(group: string, told: Owed): Promise<void> {
    for (;;) {
      const stored = await readLedger(this.#bucket)
      if (!stored) return
      const next = settled(stored.ledger, group, told)
      if (next === stored.ledger || (await writeLedger(this.#bucket, next, stored.revision))) return
    }
  }

  async #watch(): Promise<void> {
    const { watchMs, breakerOpenMs, headroomMs: leastMs } = this.#options
    this.#watchAt = performance.now() + watchMs
    let handlers: readonly ListedHandler[] = []
    await this.#guarded('handlers', async () => {
      handlers = await listHandlers(this.#mesh)
      await this.#stands('headroom', lowHeadroom(handlers, leastMs))
    })
    await this.#guarded('breakers', async () => {
      await this.#breakers.read()
      await this.#stands('breakers', this.#breakers.openFor(breakerOpenMs, { nowMs: this.#bucket.nowMs, handlers }))
    })
    await this.#guarded('streams', async () => {
      const streams = await meshStreams(this.#mesh)
      await this.#stands('streams', fullStreams(streams.map(({ info }) => info)))
    })
  }

  async #stands(where: string, conditions: readonly Condition[]): Promise<void> {
    const now = new Set(conditions.map(({ notice }) => keyOf(notice)))
    const before = this.#conditions.get(where) ?? []
    this.#conditions.set(where, conditions)
    for (const { notice } of before) if (!now.has(keyOf(notice))) await this.#claims.forget(keyOf(notice))
  }

  async #tellConditions(): Promise<void> {
    for (const condition of [...this.#conditions.values()].flat()) {
      if (this.#mayNotSend()) return
      const { notice, episode, level } = condition
      const claim = await this.#claims.take(keyOf(notice), (told) => this.#isNews(condition, told))
      if (claim) await this.#send(notice, { claim, episode, level })
    }
  }

  #isNews({ episode, level }: Condition, told: Told | null): boolean {
    if (told === null || told.episode !== episode || told.level < level) return true
    return this.#bucket.nowMs - told.atMs >= this.#options.remindMs
  }

  #mayNotSend(): boolean {
    return this.#stopping.signal.aborted || performance.now() < this.#restUntil
  }

  /** Returns whether it was told. */
  async #send(notice: Notice, { claim, ...what }: Sending): Promise<boolean> {
    const { format, consoleUrl } = this.#options
    const around = { namespace: this.#mesh.names.namespace, format, consoleUrl, nowMs: this.#bucket.nowMs }
    const posted = await post(this.#options, bodyOf(notice, around), this.#stopping.signal)
    this.#told.add({ kind: notice.kind, outcome: posted.how })
    if (posted.how !== 'told') {
      this.#onFailure(notice, posted)
      // A message that is not liked must not be in the way of others.
      const isOfMessage = posted.how === 'refused' && !posted.isForAll
      await this.#claims.leave(claim, isOfMessage ? this.#options.giveUpMs : 0)
      return false
    }
    this.#faults.delete(WEBHOOK)
    this.#mesh.log.info({ kind: notice.kind, about: claim.key }, 'told')
    if (!(await this.#claims.confirm(claim, what)))
      this.#mesh.log.warn({ about: claim.key }, 'this took so long that another notifier may have told it too')
    return true
  }

  #onFailure({ kind }: Notice, posted: Exclude<Posted, { how: 'told' }>): void {
    if (this.#stopping.signal.aborted) return
    const { giveUpMs, url } = this.#options
    const { host } = url
    const fields = { kind, host, why: posted.why }
    const why = `${host}: ${posted.why}`
    if (posted.how === 'refused') {
      if (posted.isForAll) this.#restUntil = performance.now() + giveUpMs
      const fault = posted.isForAll ? 'its address, which may have been withdrawn' : 'the format, or what takes it'
      this.#mesh.log.error(
        fields,
        `the webhook at ${host} refused a message (${posted.why}): correct ${fault}; nobody is told, and it is tried again`,
      )
    } else {
      this.#restUntil = performance.now() + Math.max(posted.waitMs, Math.min(AWAY_MS, giveUpMs))
      this.#mesh.log.warn(fields, `the webhook at ${host} is away (${posted.why}): nobody is told; it is tried again`)
    }
    this.#faults.set(WEBHOOK, why)
  }
}

const WEBHOOK = 'the webhook'

type Sending = Omit<Told, 'atMs'> & { claim: Parameters<Claims['confirm']>[0] }

function noticeOf(group: string, owed: Owed): LettersNotice {
  const { service, handler, code, reason, letters, first, firstAt, lastAt } = owed
  return { kind: 'letters', group, service, handler, code, reason, letters, letter: first, firstAt, lastAt }
}
