import type { ClickHouseOptions } from '../clickhouse/connect.ts'
import { ArchiveError } from '../errors.ts'
import { missingOf, readPast } from './read-past.ts'

/** Sequences of one life of a stream, inclusive. `stream` as the server names it. */
export type ForgottenStretch = {
  readonly stream: string
  readonly epoch: number
  readonly from: number
  readonly to: number
  /** Whole types (`ce-type`). */
  readonly types: readonly string[]
}

/** An event as it stood in its stream. Names of headers as they came. */
export type ForgottenEvent = {
  readonly seq: number
  readonly subject: string
  readonly headers: Readonly<Record<string, readonly string[]>>
  readonly payload: Uint8Array
}

/**
 * The archive for those who read on where a stream has forgotten: `runProjection(mesh, def, { archive })`. What it gives is
 * all there was, or it throws.
 * @throws ArchiveError (when it is read) ARCHIVE_INCOMPLETE | ARCHIVE_QUERY_REFUSED | ARCHIVE_UNREACHABLE
 */
export function eventArchive(clickhouse: ClickHouseOptions): {
  read(stretch: ForgottenStretch): AsyncGenerator<ForgottenEvent>
} {
  return {
    async *read({ stream, epoch, from, to, types }) {
      const past = { stream, from: { epoch, seq: from }, before: { epoch, seq: to + 1 } }
      const missing = await missingOf(clickhouse, past)
      if (missing.length > 0) throw incomplete(stream, missing)
      for await (const { seq, subject, headers, payloadBase64 } of readPast(clickhouse, { ...past, types }))
        yield { seq, subject, headers, payload: Buffer.from(payloadBase64, 'base64') }
    },
  }
}

function incomplete(stream: string, missing: readonly { from: number; to: number }[]): ArchiveError {
  const ranges = missing.slice(0, 5).map(({ from, to }) => `${from} to ${to}`)
  const more = missing.length > ranges.length ? ` and ${missing.length - ranges.length} ranges more` : ''
  return new ArchiveError(
    'ARCHIVE_INCOMPLETE',
    `stream ${stream} had events at sequences ${ranges.join(', ')}${more} that the archive has not`,
  )
}
