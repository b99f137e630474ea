import { type Mesh, type OperationRecord, receivedHeaders } from '@malha/mesh'
import type { StoredMsg } from '@nats-io/jetstream'
import { OperationsError } from '../errors.ts'
import { type LetterState, readLetter } from './letter.ts'
import type { LetterIndex, Standing } from './letter-index.ts'
import { readOn, streamNow } from './read-on.ts'

/**
 * Brings the index to where the streams are. Returns how many letters were read.
 * @throws OperationsError OPERATIONS_NO_LETTERS
 */
export async function catchUp(mesh: Mesh, index: LetterIndex, onRead?: (until: number) => void): Promise<number> {
  const count = await letters(mesh, index, onRead)
  await records(mesh, index)
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
    onBatch(batch, upTo) {
      const read = batch.map(({ seq, subject, timestamp, header, data }) =>
        readLetter(mesh.names, {
          seq,
          subject,
          time: timestamp,
          headers: receivedHeaders(header),
          payloadBytes: data.length,
        }),
      )
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

/** What was done with letters, since. */
async function records(mesh: Mesh, index: LetterIndex): Promise<void> {
  const now = await streamNow(mesh, mesh.names.operations())
  if (!now) return
  const until = index.untilOf('records', now.life)
  await readOn(mesh, now, {
    after: until > now.info.state.last_seq ? 0 : until,
    onBatch(batch, upTo) {
      const standings = new Map<string, Standing>()
      for (const { letter, record, seq } of recordsIn(mesh, batch))
        standings.set(letter, afterRecord(standings.get(letter) ?? index.standingOf(letter), record, seq))
      index.addStandings(now.life, standings, upTo)
    },
  })
}

/** A record about a letter, and where it stands. */
export type LetterRecord = { readonly letter: string; readonly record: OperationRecord; readonly seq: number }

/** Reads the records about letters behind `after`, in order; each batch is given with how far it goes. */
export async function readRecords(
  mesh: Mesh,
  after: number,
  onBatch: (records: readonly LetterRecord[], until: number) => void,
): Promise<void> {
  const now = await streamNow(mesh, mesh.names.operations())
  if (now) await readOn(mesh, now, { after, onBatch: (batch, until) => onBatch(recordsIn(mesh, batch), until) })
}

function recordsIn(mesh: Mesh, batch: readonly StoredMsg[]): LetterRecord[] {
  const ofLetters = mesh.names.letterRecord('dlq.')
  return batch
    .filter(({ subject }) => subject.startsWith(ofLetters))
    .map(({ subject, data, seq }) => {
      const record = JSON.parse(Buffer.from(data).toString()) as OperationRecord
      return { letter: `dlq.${subject.slice(ofLetters.length)}`, record, seq }
    })
}

/** How a letter stands after each record about it. */
const STATES: Readonly<Record<OperationRecord['kind'], LetterState>> = {
  claimed: 'redriven',
  ok: 'resolved',
  failed: 'open',
  discarded: 'discarded',
  reopened: 'open',
}

function afterRecord(before: Standing, record: OperationRecord, recordSeq: number): Standing {
  return {
    state: STATES[record.kind],
    recordSeq,
    run: 'run' in record ? record.run : before.run,
    redrives: before.redrives + (record.kind === 'claimed' ? 1 : 0),
  }
}
