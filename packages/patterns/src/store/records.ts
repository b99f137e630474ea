import { setTimeout as sleep } from 'node:timers/promises'
import { isObject, isWhole, keyToken, type Mesh, shown } from '@malha/mesh'
import { JetStreamApiError } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import { PatternsError } from '../errors.ts'

/** A record as it was read: writing it again needs its revision. */
export type Versioned<T> = { readonly value: T; readonly revision: number }

/** What every record carries: the version of its format. */
export type Formatted = { readonly v: number }

/** Records of one kind in a key-value bucket, written by compare-and-set. */
export interface Records<T extends Formatted> {
  /** Undefined where there is none. @throws PatternsError PATTERNS_NEWER_FORMAT | PATTERNS_UNREADABLE_RECORD | PATTERNS_STORE_UNAVAILABLE */
  read(id: string): Promise<Versioned<T> | undefined>
  /**
   * Writes over `revision`, or where there was nothing. The new revision; undefined when somebody else was faster:
   * nothing was written then.
   * @throws PatternsError PATTERNS_STATE_TOO_LARGE | PATTERNS_STORE_UNAVAILABLE: it may or may not be written
   */
  write(id: string, value: T, revision: number | undefined): Promise<number | undefined>
  /** Removes it for good if it is still at `revision`. */
  remove(id: string, revision: number): Promise<boolean>
}

export type RecordsOptions = {
  kv: KV
  /** What a record is called in messages: `saga order`. */
  what: string
  /** The format this release writes, and the highest it reads. */
  format: number
}

/** What a record leaves of `max_payload`. More than an event must leave: what a saga's record says it sends can be sent. */
const HEADROOM_BYTES = 32_768

/** JetStream's: the key is not at the revision that was read, or somebody is writing it right now. */
const CONFLICTS: ReadonlySet<number> = new Set([10071, 10164])

export function records<T extends Formatted>(mesh: Mesh, { kv, what, format }: RecordsOptions): Records<T> {
  const away = (id: string, cause: unknown): PatternsError =>
    new PatternsError('PATTERNS_STORE_UNAVAILABLE', `${what} ${id} could not be read or written; that is tried again`, {
      cause,
    })
  return {
    async read(id) {
      const entry = await kv.get(keyToken(id)).catch((cause: unknown) => {
        throw away(id, cause)
      })
      if (entry === null || entry.operation !== 'PUT') return undefined
      return { value: parse(entry.string(), { what: `${what} ${id}`, format }) as T, revision: entry.revision }
    },
    async write(id, value, revision) {
      const bytes = new TextEncoder().encode(JSON.stringify(value))
      const limit = (mesh.nats.info?.max_payload ?? Infinity) - HEADROOM_BYTES
      if (bytes.length > limit)
        throw new PatternsError(
          'PATTERNS_STATE_TOO_LARGE',
          `${what} ${id} would have ${bytes.length} bytes, ${limit} is the most here; keep references in it, not the bulk`,
        )
      const key = keyToken(id)
      try {
        return await (revision === undefined ? kv.create(key, bytes) : kv.update(key, bytes, revision))
      } catch (cause) {
        if (isConflict(cause)) return undefined
        throw away(id, cause)
      }
    },
    async remove(id, revision) {
      try {
        await kv.purge(keyToken(id), { previousSeq: revision })
        return true
      } catch (cause) {
        if (isConflict(cause)) return false
        throw away(id, cause)
      }
    },
  }
}

/** @throws PatternsError PATTERNS_NEWER_FORMAT | PATTERNS_UNREADABLE_RECORD */
export function parse(text: string, { what, format }: { what: string; format: number }): Formatted {
  const value = parsed(text)
  if (!isObject(value) || !isWhole(value['v'], 1))
    throw new PatternsError(
      'PATTERNS_UNREADABLE_RECORD',
      `${what} has a record that this library did not write: ${shown(text)}; put back what was there, or remove it`,
    )
  if (value['v'] > format)
    throw new PatternsError(
      'PATTERNS_NEWER_FORMAT',
      `${what} has format ${value['v']}, this release knows ${format}; it waits until a newer release runs`,
    )
  return value as Formatted & typeof value
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof JetStreamApiError && CONFLICTS.has(error.code)
}

/**
 * What is read of a stream, or why not.
 * @throws PatternsError PATTERNS_STORE_UNAVAILABLE
 */
export async function reading<T>(what: string, read: Promise<T>): Promise<T> {
  try {
    return await read
  } catch (cause) {
    throw new PatternsError('PATTERNS_STORE_UNAVAILABLE', `${what} could not be read; that is tried again`, { cause })
  }
}

const TRIES = 6

/**
 * Runs `attempt` until it is not overtaken (`undefined`): at once at first, then with short random pauses.
 * @throws PatternsError PATTERNS_CONFLICT when others were faster each time
 */
export async function again<T>(what: string, attempt: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 1; tries <= TRIES; tries++) {
    const result = await attempt()
    if (result !== undefined) return result
    if (tries > 1) await sleep(Math.random() * 10 * tries)
  }
  throw new PatternsError(
    'PATTERNS_CONFLICT',
    `${what} was written by others ${TRIES} times in a row; that is tried again`,
  )
}
