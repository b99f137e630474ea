import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { JetStreamApiError, type JetStreamClient } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'

/*
 * A lease is a key with a TTL that its holder writes again at a third of it, and again after as long without an answer.
 * L1  It counts from the moment a write was *sent*, so its holder never believes in it longer than the server does.
 * L2  A margin is taken off, so that the holder has stopped before the next one can start.
 * L3  A renewal whose answer got lost is found again by its token; a key with another token is lost for good.
 * L4  An answer counts however late it comes while the term lasts: a busy machine answers late, and that costs no lease.
 * L5  A key that nobody wrote again for three of its terms has no holder: a broker that was killed gives back keys it had let
 *     go, and keeps them for good (nats-server issue 8505).
 */

/** A KV bucket that takes TTLs. Reads that come from its leader, without `allow_direct`, let no holder go that need not. */
export type LeaseBucket = {
  readonly kv: KV
  readonly js: JetStreamClient
  readonly subject: (key: string) => string
}

/** The sole right to do something, for a while. */
export type Lease = {
  /** Tells one holder from every other, and one of its terms from the next. */
  readonly token: string
  /** Aborted when the lease is lost or given back. */
  readonly lost: AbortSignal
  /** By this process's own clock; once false it stays so. */
  readonly isHeld: () => boolean
  /** Gives the lease back; the next holder need not wait for its end. */
  readonly release: () => Promise<void>
}

export type LeaseOptions = {
  key: string
  /** How long the lease outlives its holder, ms; whole seconds, the server knows no finer. */
  ttlMs: number
  /** Who holds it, for people: host and process. */
  holder: string
}

/** What whoever waits for a lease saw of its holder, from try to try. */
export type SeenHolder = { revision?: number; since?: number }

/** Tries once. Undefined when someone else holds it. */
export async function tryLease(
  bucket: LeaseBucket,
  options: LeaseOptions,
  seen: SeenHolder = {},
): Promise<Lease | undefined> {
  const { key, ttlMs, holder } = options
  const token = randomBytes(6).toString('hex')
  const value = JSON.stringify({ format: 1, token, holder, ttlMs })
  const take = async (put: () => Promise<number>): Promise<Lease | undefined> => {
    const sentAt = performance.now()
    try {
      return keepLease(bucket, { ...options, token, value, revision: await put(), sentAt })
    } catch (error) {
      if (isConflict(error)) return undefined
      throw error
    }
  }
  const lease = await take(() => bucket.kv.create(key, value, ttlHeader(ttlMs)))
  if (lease) return lease
  const gone = await goneHolder(bucket, options, seen)
  return gone === undefined ? undefined : await take(() => write(bucket, { key, ttlMs, value }, gone))
}

/** The revision of a key whose holder is gone. Upholds L5, by this process's own clock and the changes it sees. */
async function goneHolder(
  bucket: LeaseBucket,
  { key, ttlMs }: LeaseOptions,
  seen: SeenHolder,
): Promise<number | undefined> {
  const entry = await bucket.kv.get(key)
  if (entry?.operation !== 'PUT') return undefined
  const now = performance.now()
  if (entry.revision !== seen.revision || seen.since === undefined) {
    seen.revision = entry.revision
    seen.since = now
    return undefined
  }
  const termMs = Math.max(ttlMs, termOf(entry.string()))
  return now - seen.since > GONE_AFTER_TERMS * termMs ? entry.revision : undefined
}

/** How long the lease of a key lasts, as its holder wrote; 0 where it did not. */
function termOf(value: string): number {
  try {
    const { ttlMs } = JSON.parse(value) as { ttlMs?: unknown }
    return typeof ttlMs === 'number' ? ttlMs : 0
  } catch {
    return 0
  }
}

const GONE_AFTER_TERMS = 3

type Held = LeaseOptions & { token: string; value: string; revision: number; sentAt: number }

function keepLease(bucket: LeaseBucket, held: Held): Lease {
  const lost = new AbortController()
  const ended = new AbortController()
  const margin = Math.min(1_000, held.ttlMs / 4)
  let revision = held.revision
  let validUntil = held.sentAt + held.ttlMs - margin
  /** When the first renewal was sent whose answer is not known. */
  let inDoubtSince: number | undefined
  let heldSince = held.sentAt
  let onRenewed = (): void => undefined

  const renewed = (seq: number, sentAt: number): void => {
    if (seq <= revision) return
    revision = seq
    inDoubtSince = undefined
    heldSince = sentAt
    validUntil = sentAt + held.ttlMs - margin
    onRenewed()
  }

  /** Upholds L3 and L4. */
  const tryRenewal = async (sentAt: number): Promise<void> => {
    inDoubtSince ??= sentAt
    try {
      renewed(await write(bucket, held, revision), sentAt)
    } catch (error) {
      if (!isConflict(error)) return // the server is away; try until the lease has run out
      const earliest = inDoubtSince ?? sentAt
      const own = await ownRevision(bucket, held).catch(() => IN_DOUBT)
      if (own === undefined) lost.abort()
      else if (own !== IN_DOUBT) renewed(own, earliest)
    }
  }

  let attempt = Promise.resolve()
  const renewing = (async () => {
    for (let waitMs = heldSince + held.ttlMs / 3 - performance.now(); ;) {
      await pause(Math.max(0, waitMs), ended.signal)
      if (ended.signal.aborted) return
      if (performance.now() >= validUntil) return lost.abort()
      const news = new Promise<void>((resolve) => (onRenewed = resolve))
      const before = revision
      attempt = tryRenewal(performance.now())
      // An attempt before it may be answered first.
      await Promise.race([attempt, news, pause(held.ttlMs / 3, ended.signal)])
      waitMs = revision > before ? heldSince + held.ttlMs / 3 - performance.now() : AGAIN_MS
    }
  })()
  // The renewal may sit in a time-out of its own when the term is over: this timer does not.
  const watch = setInterval(
    () => {
      if (performance.now() >= validUntil) lost.abort()
    },
    Math.min(100, held.ttlMs / 10),
  )
  watch.unref()
  lost.signal.addEventListener('abort', () => {
    clearInterval(watch)
    ended.abort()
  })

  return {
    token: held.token,
    lost: lost.signal,
    isHeld: () => {
      if (performance.now() >= validUntil) lost.abort()
      return !lost.signal.aborted
    },
    release: async () => {
      if (lost.signal.aborted) return
      ended.abort()
      await renewing
      // What it writes would outlive the deletion.
      await Promise.race([attempt, pause(held.ttlMs / 3, lost.signal)])
      await bucket.kv.delete(held.key, { previousSeq: revision }).catch(() => undefined)
      lost.abort()
    },
  }
}

async function write(
  bucket: LeaseBucket,
  { key, value, ttlMs }: Pick<Held, 'key' | 'value' | 'ttlMs'>,
  revision: number,
): Promise<number> {
  // kv.update takes no TTL, so the key is written as what it is: a message of the bucket's stream.
  const ack = await bucket.js.publish(bucket.subject(key), value, {
    ttl: ttlHeader(ttlMs),
    expect: { lastSubjectSequence: revision },
    timeout: ttlMs,
  })
  return ack.seq
}

async function ownRevision(bucket: LeaseBucket, held: Held): Promise<number | undefined> {
  const entry = await bucket.kv.get(held.key)
  return entry?.operation === 'PUT' && entry.string() === held.value ? entry.revision : undefined
}

/** Returns at once when `signal` is or becomes aborted. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined)

/** Nobody said whose the key is. */
const IN_DOUBT = -1
const AGAIN_MS = 100

const ttlHeader = (ttlMs: number): string => `${Math.max(1, Math.round(ttlMs / 1000))}s`

const isConflict = (error: unknown): boolean =>
  error instanceof JetStreamApiError && (error.code === 10071 || error.code === 10164)
