import { MeshError } from '@malha/mesh'
import { OutboxError, reasonOf } from '../errors.ts'

/**
 * What an attempt to publish a row came to: it is stored; it never can be (`dead`); this row has to wait (`row`), or all
 * of its stream (`stream`).
 */
export type Outcome =
  | { readonly kind: 'published' }
  | { readonly kind: 'dead'; readonly code: string; readonly reason: string }
  | { readonly kind: 'row' | 'stream'; readonly reason: string }

/** Errors that say nothing of the row: the broker is away, or the stream is full. */
const OF_THE_STREAM = new Set(['MESH_PUBLISH_TIMEOUT', 'MESH_STREAM_FULL', 'MESH_CLOSED'])

export function outcomeOf(error: unknown): Exclude<Outcome, { kind: 'published' }> {
  const reason = reasonOf(error)
  if (error instanceof OutboxError && error.code === 'OUTBOX_UNREADABLE_ROW')
    return { kind: 'dead', code: error.code, reason }
  if (!(error instanceof MeshError)) return { kind: 'row', reason }
  if (error.disposition === 'terminal') return { kind: 'dead', code: error.code, reason }
  return { kind: OF_THE_STREAM.has(error.code) ? 'stream' : 'row', reason }
}

/** Grows with every try from a second to a minute; jitter only lengthens. */
export function rowDelayMs(tries: number): number {
  return Math.min(60_000, 1_000 * 2 ** Math.min(tries - 1, 6)) * (1 + Math.random() / 5)
}

/** From a quarter of a second to five seconds: a publish waits for the broker by itself, too. */
export function streamDelayMs(failures: number): number {
  return Math.min(5_000, 250 * 2 ** Math.min(failures - 1, 5))
}
