/**
 * Who tells what (docs/adr/0031-what-people-are-told-is-claimed.md).
 *
 * N1  Nothing is sent without a claim on its key, and a key has one claim at a time.
 * N2  A claim whose notifier died lapses, and what it was for is told by another one: twice perhaps, never not at all.
 * N3  What was told holds its key for the quiet time, whoever asks.
 *
 * How long a key is held is judged by the server's clock and the time at which its record was stored. Its time to live only
 * removes it: a broker that was killed may give back what it had let go, and keep it for good (nats-server issue 8505).
 */
import { isObject } from '@malha/mesh'
import type { RecordBucket } from './record-bucket.ts'

/** What was told last under a key. */
export type Told = { readonly episode: string; readonly level: number; readonly atMs: number }

type ClaimRecord = {
  readonly v: 1
  /** `sending`: somebody is about to tell. `told`: somebody did. `left`: it could not be told, and is left for later. */
  readonly state: 'sending' | 'told' | 'left'
  readonly by: string
  readonly holdMs: number
  readonly told: Told | null
}

export type Claim = { readonly key: string; readonly revision: number; readonly told: Told | null }

export type ClaimOptions = {
  /** How long a claim lasts whose notifier says nothing more, ms. */
  leaseMs: number
  quietMs: number
  /** How long it is remembered what was told, ms. */
  keepMs: number
}

export class Claims {
  readonly #bucket: RecordBucket
  readonly #by: string
  readonly #options: ClaimOptions
  /** Until when keys are held, as they were found: they are not asked for before. */
  readonly #held = new Map<string, number>()

  constructor(bucket: RecordBucket, by: string, options: ClaimOptions) {
    this.#bucket = bucket
    this.#by = by
    this.#options = options
  }

  /** Undefined where somebody else has it, or it was told within the quiet time, or `isDue` says that there is nothing to tell. */
  async take(key: string, isDue: (told: Told | null) => boolean): Promise<Claim | undefined> {
    if ((this.#held.get(key) ?? 0) > this.#bucket.nowMs) return undefined
    const stored = await this.#bucket.read(key)
    const record = stored && recordIn(stored.value)
    const freeAtMs = stored && record ? stored.storedAtMs + record.holdMs : 0
    if (freeAtMs > this.#bucket.nowMs) {
      this.#hold(key, freeAtMs)
      return undefined
    }
    const told = record?.told ?? null
    if (!isDue(told)) return undefined
    const { leaseMs } = this.#options
    const revision = await this.#write(key, { state: 'sending', holdMs: leaseMs, told }, stored?.revision ?? 0)
    return revision === undefined ? undefined : { key, revision, told }
  }

  /** It was told. False where the claim had lapsed, and somebody else may have told it too. */
  async confirm({ key, revision }: Claim, { episode, level }: Omit<Told, 'atMs'>): Promise<boolean> {
    const atMs = Math.round(this.#bucket.nowMs)
    const { quietMs } = this.#options
    const written = await this.#write(key, { state: 'told', holdMs: quietMs, told: { episode, level, atMs } }, revision)
    if (written !== undefined) this.#hold(key, atMs + quietMs)
    return written !== undefined
  }

  /** It was not told. Others may try it again after `holdMs`. */
  async leave({ key, revision, told }: Claim, holdMs = 0): Promise<void> {
    await this.#write(key, { state: 'left', holdMs, told }, revision)
  }

  /** What was told does not stand any more: should it come back it is news. The quiet time stays as it is. */
  async forget(key: string): Promise<void> {
    const stored = await this.#bucket.read(key)
    const record = stored && recordIn(stored.value)
    if (!stored || record?.state !== 'told' || !record.told) return
    const holdMs = Math.max(0, stored.storedAtMs + record.holdMs - this.#bucket.nowMs)
    await this.#write(key, { state: 'told', holdMs, told: null }, stored.revision)
  }

  /** Another notifier may let it go before, so it is looked at every now and then. */
  #hold(key: string, untilMs: number): void {
    const now = this.#bucket.nowMs
    for (const [other, until] of this.#held) if (until <= now) this.#held.delete(other)
    this.#held.set(key, Math.min(untilMs, now + LOOK_AGAIN_MS))
  }

  #write(key: string, record: Omit<ClaimRecord, 'v' | 'by'>, revision: number): Promise<number | undefined> {
    const { keepMs } = this.#options
    const ttlMs = Math.max(record.holdMs, record.told ? keepMs : 0)
    return this.#bucket.write(key, { v: 1, by: this.#by, ...record }, { revision, ttlMs })
  }
}

const LOOK_AGAIN_MS = 30_000

/** What somebody else wrote there counts for nothing. */
function recordIn(value: unknown): ClaimRecord | undefined {
  return isObject(value) && value['v'] === 1 && typeof value['holdMs'] === 'number'
    ? (value as unknown as ClaimRecord)
    : undefined
}
