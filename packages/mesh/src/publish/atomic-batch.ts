/**
 * One atomic batch (nats-server 2.12, ADR-50): all of its messages are stored, next to each other, or none.
 *
 * The headers are written here, because the client's own batch leaves out expectations and TTLs. Only the last message
 * asks for an answer; the others are written right before it, so that the batch is open for no longer than it travels.
 * Every send has a batch id of its own: the server refuses one it knows from a batch that was cut off.
 */
import { randomUUID } from 'node:crypto'
import type { NatsConnection } from '@nats-io/transport-node'
import { HEADER, HeaderBlock, headerLines, type HeaderPairs } from '../message/headers.ts'

/** The server's default for one batch. */
export const MAX_BATCH = 1000

/** One message of a batch. */
export type BatchMember = { subject: string; payload: Uint8Array; headers: HeaderPairs }

/** Writes all of a batch at once. `reply` gets the one answer: a PubAck with the sequence of the last, or why nothing was stored. */
export function writeBatch(nc: NatsConnection, members: readonly BatchMember[], reply: string): void {
  const id = randomUUID()
  for (const [index, { subject, payload, headers }] of members.entries()) {
    const isLast = index === members.length - 1
    const lines = headerLines([
      ...headers,
      [HEADER.batchId, id],
      [HEADER.batchSequence, String(index + 1)],
      ...(isLast ? [[HEADER.batchCommit, '1'] as const] : []),
    ])
    const block = new HeaderBlock(lines)
    nc.publish(subject, payload, { headers: block as never, ...(isLast ? { reply } : {}) })
  }
}
