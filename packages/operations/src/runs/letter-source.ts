/**
 * The letters of a redrive.
 *
 * L1  What a letter is sent with is the last record known of it, and records are read on from before that: whoever else
 *     writes one is seen, and the letter counts as overtaken.
 * L2  That there was nothing left to send of a letter is a record too, so that it is counted once, whoever runs.
 * L3  Each letter of the snapshot has one turn, and no other letter has one: those without a turn at the end were removed.
 */
import { getStored, type Mesh, type Names, type RunMessage } from '@malha/mesh'
import { withEdit } from '../letters/edit.ts'
import { catchUp, type LetterRecord, readRecords } from '../letters/follow.ts'
import { type Letter, originIn } from '../letters/letter.ts'
import type { LetterIndex } from '../letters/letter-index.ts'
import type { BriefLetter } from '../letters/letter-row.ts'
import { contentOf, type LetterContent } from '../letters/read-whole.ts'
import { writeRecord } from '../letters/write-record.ts'
import { type Content, readThese } from '../read/read-these.ts'
import type { Run } from './run.ts'
import type { Counted, RunSource, Slice, Turn } from './source.ts'

export type LetterRun = Extract<Run, { kind: 'redrive' }>

/** Of payloads that are in memory at once. */
const MOST_BYTES = 32 * 1024 ** 2

export class LetterSource implements RunSource {
  readonly #mesh: Mesh
  readonly #index: LetterIndex
  readonly #run: LetterRun
  /** Sent and without an outcome: letter by its subject, with the sequence of the record it was sent with. */
  readonly #open = new Map<string, number>()

  constructor({ mesh, index }: { mesh: Mesh; index: LetterIndex }, run: LetterRun) {
    this.#mesh = mesh
    this.#index = index
    this.#run = run
  }

  async reopen(cursor: number): Promise<void> {
    await catchUp(this.#mesh, this.#index)
    for (let after = 0; ;) {
      const letters = this.#index.onwards(this.#run.filter, { after, upTo: cursor, limit: 1000 })
      for (const letter of letters) {
        const isAway = letter.run === this.#run.id ? letter.state === 'redriven' : this.#isToBeSent(letter)
        if (isAway) this.#open.set(letter.subject, letter.recordSeq)
      }
      if (letters.length === 0) return
      after = letters.at(-1)!.seq
    }
  }

  async next(after: number, limit: number): Promise<Slice> {
    const { filter, upTo } = this.#run
    const found = withinBytes(this.#index.brief(filter, { after, upTo, limit }))
    const letters = found.filter((letter) => this.#isOfSnapshot(letter))
    const wanted = letters.filter((letter) => letter.run !== this.#run.id && this.#isToBeSent(letter))
    const { names } = this.#mesh
    const stored = await readThese(
      this.#mesh,
      names.stream('DEAD_LETTERS'),
      wanted.map(({ seq }) => seq),
      (message) => storedLetter(names, message),
    )
    const turns = await Promise.all(letters.map((letter) => this.#turnOf(letter, stored.get(letter.seq))))
    return { turns, until: found.at(-1)?.seq ?? upTo }
  }

  async follow(after: number, onBatch: (counted: readonly Counted[], until: number) => void): Promise<void> {
    await readRecords(this.#mesh, this.#index, {
      after,
      onBatch: (records, until) =>
        onBatch(
          records.flatMap((one) => this.#count(one)),
          until,
        ),
    })
  }

  /** Upholds L1. */
  #count({ letter, record, seq }: LetterRecord): Counted[] {
    const sentWith = this.#open.get(letter)
    if ('run' in record && record.run === this.#run.id) {
      if (record.kind === 'claimed') return []
      this.#open.delete(letter)
      return [{ what: record.kind === 'ok' && record.already ? 'already' : record.kind }]
    }
    if (sentWith === undefined || seq <= sentWith) return []
    this.#open.delete(letter)
    return [{ what: 'overtaken' }]
  }

  async #turnOf(brief: BriefLetter, found: StoredLetter | undefined): Promise<Turn> {
    const letter = { ...brief, ...(found && this.#index.underWay(found.subject)) }
    const { seq, recordSeq } = letter
    if (letter.run === this.#run.id) {
      // A runner before this one had it.
      if (letter.isGone) return { kind: 'gone', seq }
      const subject = found?.subject ?? this.#index.letter(seq)?.subject
      if (letter.state === 'redriven' && subject !== undefined) this.#open.set(subject, recordSeq)
      return { kind: 'sent' }
    }
    if (!this.#isToBeSent(letter)) return { kind: 'skipped' }
    const content =
      found && (found.hasPayload ? await withEdit(this.#mesh, letter, found) : await fromItsStream(this.#mesh, found))
    const message = content && messageOf(this.#mesh, this.#run, { ...found, ...letter, headers: content.headers })
    if (!message) return await this.#sayGone(seq)
    this.#open.set(found.subject, recordSeq)
    return { kind: 'send', message, payload: content.payload }
  }

  #isToBeSent(letter: BriefLetter): boolean {
    return this.#isUndone(letter) && letter.kind === 'message' && letter.redrives < this.#run.limits.mostRedrives
  }

  /** As far as the run is concerned. */
  #isUndone({ state }: BriefLetter): boolean {
    return state === 'open' || (state === 'late' && this.#run.filter.withLate === true)
  }

  /** Upholds L3. */
  #isOfSnapshot(letter: BriefLetter): boolean {
    const { asOf = -1 } = this.#run
    return letter.kind === 'message' && (this.#isUndone(letter) || letter.recordSeq > asOf)
  }

  /** Upholds L2. */
  async #sayGone(seq: number): Promise<Turn> {
    const record = { v: 1, kind: 'gone', run: this.#run.id, at: new Date().toISOString() } as const
    const letter = this.#index.letter(seq)
    const isWritten = letter !== undefined && (await writeRecord(this.#mesh, letter, record))
    return isWritten ? { kind: 'gone', seq } : { kind: 'skipped' }
  }
}

/** The first of them, as many as may be in memory. */
function withinBytes(letters: BriefLetter[]): BriefLetter[] {
  let bytes = 0
  const most = letters.findIndex(({ payloadBytes }, at) => (bytes += payloadBytes) > MOST_BYTES && at > 0)
  return most === -1 ? letters : letters.slice(0, most)
}

/** What its stream has of a letter. */
type StoredLetter = LetterContent & Pick<Letter, 'subject' | 'origin'>

function storedLetter(names: Names, message: Content): StoredLetter {
  const { subject, pairs } = message
  const header = (wanted: string): string | undefined => pairs.find(([name]) => name === wanted)?.[1]
  return { ...contentOf(message), subject: names.strip(subject), origin: originIn(header) }
}

/** What another client published may not fit into a letter; then it is where it always was. */
async function fromItsStream(mesh: Mesh, { origin }: StoredLetter): Promise<LetterContent | undefined> {
  const { stream, seq, publishedAt } = origin
  const stored = await getStored(mesh.nats, stream, { seq: Number(seq) })
  const isSame = stored !== undefined && Date.parse(stored.time) === Date.parse(publishedAt ?? '')
  return isSame ? { headers: stored.pairs, payload: stored.payload, hasPayload: true } : undefined
}

/** Undefined where the letter does not say enough of itself. */
function messageOf(
  mesh: Mesh,
  run: Run,
  { service, handler, origin, subject, recordSeq, headers }: BriefLetter & Omit<StoredLetter, 'payload' | 'hasPayload'>,
): RunMessage | undefined {
  const storedAt = /@(\d+)(?:\.|$)/.exec(subject)?.[1]
  if (!storedAt || !service || !handler || origin.epoch === undefined) return undefined
  return {
    run: run.id,
    service,
    handler,
    origin: {
      stream: origin.stream,
      epoch: origin.epoch,
      seq: Number(origin.seq),
      storedAt,
      subject: origin.subject,
      publishedAt: origin.publishedAt ?? new Date(Number(BigInt(storedAt) / 1_000_000n)).toISOString(),
    },
    headers,
    record: mesh.names.letterRecord(subject),
    expected: recordSeq,
  }
}
