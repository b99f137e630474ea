import type { DirectMessage, Mesh, OperationRecord } from '@malha/mesh'
import { OperationsError } from '../errors.ts'
import { type LetterState, readLetter } from './letter.ts'
import type { LetterIndex } from './letter-index.ts'
import type { Standing } from './letter-row.ts'
import { readOn, streamNow } from '../read/read-on.ts'

/**
 * Brings the index to where the streams are. Returns how many letters were read.
 * @throws OperationsError OPERATIONS_NO_LETTERS
 */
export async function catchUp(mesh: Mesh, index: LetterIndex, onRead?: (until: number) => void): Promise<number> {
  const count = await letters(mesh, index, onRead)
  await readRecords(mesh, index, { after: Infinity, onBatch: () => undefined })
  return count
}

async function letters(mesh: Mesh, index: LetterIndex, onRead?: (until: number) => void): Promise<number> {
  const name = mesh.names.stream('DEAD_LETTERS')
  const now = await streamNow(mesh, name)
  if (!now)
    throw new OperationsError(
      'OPERATIONS_NO_LETTERS',
      `there is no stream ${name}: no service of this mesh has started here`,
    )
  const { first_seq: firstSeq, last_seq: lastSeq, messages } = now.info.state
  const until = index.untilOf('letters', now.life)
  if (until > lastSeq) index.forgetLetters()
  let count = 0
  await readOn(mesh, now, {
    after: until > lastSeq ? 0 : until,
    read: ({ seq, subject, timestamp, headers, data }) =>
      readLetter(mesh.names, {
        seq,
        subject,
        time: timestamp,
        headers: headers.record(),
        payloadBytes: data.length,
      }),
    onBatch(read, upTo) {
      index.addLetters(now.life, read, upTo)
      count += read.length
      onRead?.(upTo)
    },
  })
  index.removeBelow(firstSeq)
  if (index.size !== messages) {
    const removed = await mesh.nats.request(`$JS.API.STREAM.INFO.${name}`, JSON.stringify({ deleted_details: true }))
    index.remove(removed.json<{ state?: { deleted?: number[] } }>().state?.deleted ?? [])
  }
  return count
}

/** A record about a letter, and where it stands. */
export type LetterRecord = { readonly letter: string; readonly record: OperationRecord; readonly seq: number }

/**
 * Reads the records about letters that the index has not, so that it has them; those behind `after`, in order, are also given
 * in batches, each with how far it goes.
 */
export async function readRecords(
  mesh: Mesh,
  index: LetterIndex,
  { after, onBatch }: { after: number; onBatch: (records: readonly LetterRecord[], until: number) => void },
): Promise<void> {
  const now = await streamNow(mesh, mesh.names.operations())
  if (!now) return
  const isLost = index.untilOf('records', now.life) > now.info.state.last_seq
  if (isLost || index.isOther('records', now.life)) index.forgetRecords()
  await readOn(mesh, now, {
    after: Math.min(after, index.untilOf('records', now.life)),
    filter: `${mesh.names.letterRecords()}>`,
    read: recordOf(mesh),
    onBatch(read, upTo) {
      const standings = new Map<string, Standing>()
      for (const { letter, record, seq } of read)
        standings.set(letter, afterRecord(standings.get(letter) ?? index.standingOf(letter), record, seq))
      index.addStandings(now.life, standings, upTo)
      if (upTo > after)
        onBatch(
          read.filter(({ seq }) => seq > after),
          upTo,
        )
    },
  })
}

function recordOf({ names }: Mesh): (message: DirectMessage) => LetterRecord {
  const { length } = names.letterRecords()
  return ({ subject, data, seq }) => ({ letter: `dlq.${subject.slice(length)}`, record: recordIn(data), seq })
}

export const recordIn = (data: Uint8Array): OperationRecord =>
  JSON.parse(Buffer.from(data).toString()) as OperationRecord

/** How a letter stands after each record about it. */
const STATES: Readonly<Record<OperationRecord['kind'], LetterState>> = {
  claimed: 'redriven',
  ok: 'resolved',
  failed: 'open',
  gone: 'open',
  discarded: 'discarded',
  reopened: 'open',
  edited: 'open',
  late: 'late',
}

/** Of a record that is known already nothing more follows. */
function afterRecord(before: Standing, record: OperationRecord, recordSeq: number): Standing {
  if (recordSeq <= before.recordSeq) return before
  return {
    state: STATES[record.kind],
    recordSeq,
    isGone: record.kind === 'gone',
    editSeq: record.kind === 'edited' ? recordSeq : before.editSeq,
    run: 'run' in record ? record.run : before.run,
    redrives: before.redrives + (record.kind === 'claimed' ? 1 : 0),
  }
}
