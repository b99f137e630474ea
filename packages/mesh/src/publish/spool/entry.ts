import { crc32 } from 'node:zlib'
import type { Outgoing } from '../publisher.ts'

/** What a row says of an event beside its bytes. Format 1. */
export type EntryHead = {
  readonly v: 1
  readonly out: Omit<Outgoing, 'payload'>
  readonly trace: { readonly traceparent?: string; readonly tracestate?: string }
  /** Unix ms. */
  readonly queuedAt: number
  /**
   * It was sent before it was queued, and no answer came: if it is stored, then behind this sequence of its stream.
   * Undefined: it was never sent.
   */
  readonly sentAfter?: number
}

/** An event as it stands in the file. */
export type Entry = {
  readonly seq: number
  /** Name of the stream on the server. */
  readonly stream: string
  readonly head: string
  readonly payload: Uint8Array
}

/** Why an entry was given up. */
export type Death = { readonly code: string; readonly reason: string; readonly at: string }

/** What the letter of a dead entry is: not stored yet, stored with all of the event, or without its payload (too large). */
export const LETTER = { none: 0, whole: 1, withoutPayload: 2 } as const
export type LetterState = (typeof LETTER)[keyof typeof LETTER]

/** One that was refused for good. */
export type DeadEntry = Entry & { readonly death: Death }

/** Of everything that counts, so that a byte that changed on the disk is noticed. */
export function checksum({ seq, stream, head, payload }: Entry): number {
  return crc32(payload, crc32(`${seq}\n${stream}\n${head}\n`))
}

export function readHead(entry: Entry): EntryHead {
  return JSON.parse(entry.head) as EntryHead
}

/** The event as it was given to the publisher. */
export function outgoingOf(entry: Entry, head: EntryHead, timeoutMs: number): Outgoing {
  return { ...head.out, traceparent: head.trace.traceparent, payload: entry.payload, timeoutMs }
}

/** What SQLite adds to a row, about. */
export const ROW_BYTES = 64

/** What an entry counts towards `maxBytes`. */
export function sizeOf({ stream, head, payload }: Entry): number {
  return payload.length + Buffer.byteLength(head) + stream.length + ROW_BYTES
}
