import type { DirectMessage, Mesh } from '@malha/mesh'
import { readLetter } from '../letters/letter.ts'
import { BATCH } from '../read/direct-batch.ts'
import { readBatch, type StreamNow, streamNow } from '../read/read-on.ts'
import { beginLedger, counted, isFull, type Ledger, readLedger, type StoredLedger, writeLedger } from './ledger.ts'
import type { RecordBucket } from './record-bucket.ts'

/** From now on: letters that are there already are nobody's news. Where a notifier ran before, it goes on behind that one. */
export async function beginCounting(mesh: Mesh, bucket: RecordBucket): Promise<void> {
  if (await readLedger(bucket)) return
  const now = await streamNow(mesh, mesh.names.stream('DEAD_LETTERS'))
  await beginLedger(bucket, now?.life ?? '', now?.info.state.last_seq ?? 0)
}

/** Counts the letters that nobody has counted yet, and gives what is owed. No consumer is made. */
export async function countLetters(mesh: Mesh, bucket: RecordBucket): Promise<StoredLedger> {
  for (;;) {
    const stored = await readLedger(bucket)
    if (!stored) {
      await beginCounting(mesh, bucket)
      continue
    }
    // Behind the ledger: of an older one a stream that others have counted further would look as if it had lost its end.
    const now = await streamNow(mesh, mesh.names.stream('DEAD_LETTERS'))
    const next = now && !isFull(stored.ledger) ? await nextLedger(mesh, now, stored.ledger) : undefined
    if (!next) return stored
    // Not written: somebody else counted too, and what is owed is what that one wrote.
    await writeLedger(bucket, next, stored.revision)
  }
}

async function nextLedger(mesh: Mesh, now: StreamNow, ledger: Ledger): Promise<Ledger | undefined> {
  const from = { ...ledger, ...beginning(now, ledger) }
  const { last_seq: upTo } = now.info.state
  if (from.until >= upTo) return from.until === ledger.until && from.life === ledger.life ? undefined : from
  const { messages, until } = await readBatch(mesh, now, { after: from.until, upTo, limit: BATCH }, asCounted(mesh))
  return until === from.until ? undefined : counted(from, messages, until)
}

/** A stream that was made anew has new letters alone; one that lost its end gives its numbers again. */
function beginning({ life, info }: StreamNow, ledger: Ledger): Pick<Ledger, 'life' | 'until'> {
  if (life !== ledger.life) return { life, until: 0 }
  return { life, until: Math.min(ledger.until, info.state.last_seq) }
}

const asCounted =
  (mesh: Mesh) =>
  ({ seq, subject, timestamp, headers, data }: DirectMessage): Parameters<typeof counted>[1][number] => ({
    ...readLetter(mesh.names, {
      seq,
      subject,
      time: timestamp,
      headers: headers.record(),
      payloadBytes: data.length,
    }),
    storedAt: timestamp,
  })
