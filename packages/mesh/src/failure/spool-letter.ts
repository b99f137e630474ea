import type { NatsConnection } from '@nats-io/transport-node'
import { envelopeHeaders } from '../message/envelope.ts'
import { encodeAttribute, HEADER } from '../message/headers.ts'
import type { PublishPipeline } from '../publish/pipeline.ts'
import { type DeadEntry, type EntryHead, readHead } from '../publish/spool/entry.ts'
import type { Names } from '../topology/names.ts'
import { fitting, isStoredAlready, LETTER_HEADER, reasonOf } from './dead-letter.ts'

export type SpoolLetterDeps = { nc: NatsConnection; pipeline: PublishPipeline; names: Names }

const PUBLISH_MS = 10_000

/** Stores the letter of a spooled event that was refused for good. Once for good, as every letter. `isWhole`: its payload was not too large. */
export async function writeSpoolLetter(
  { nc, pipeline, names }: SpoolLetterDeps,
  spoolId: string,
  entry: DeadEntry,
): Promise<{ subject: string; isWhole: boolean }> {
  const head = readHead(entry)
  const subject = names.spoolLetter(entry.stream, spoolId, entry.seq)
  const headers: [string, string][] = [
    ...originalHeaders(head),
    [LETTER_HEADER.format, '1'],
    [LETTER_HEADER.reason, reasonOf(entry.death.reason)],
    [LETTER_HEADER.code, encodeAttribute(entry.death.code)],
    [LETTER_HEADER.stream, entry.stream],
    [LETTER_HEADER.subject, head.out.subject],
    [LETTER_HEADER.spool, `${spoolId}/${entry.seq}`],
    [LETTER_HEADER.queuedAt, new Date(head.queuedAt).toISOString()],
    [LETTER_HEADER.at, entry.death.at],
    [HEADER.msgId, subject],
  ]
  const body = fitting(nc, entry.payload, headers)
  try {
    await pipeline.publish({ subject, ...body, timeoutMs: PUBLISH_MS })
  } catch (error) {
    if (!isStoredAlready(error)) throw error
  }
  return { subject, isWhole: body.payload.length === entry.payload.length }
}

function originalHeaders({ out, trace }: EntryHead): [string, string][] {
  const own = out.headers.map(([name, value]): [string, string] => [name, value])
  return [...envelopeHeaders(out.envelope), ...Object.entries(trace), ...own]
}
