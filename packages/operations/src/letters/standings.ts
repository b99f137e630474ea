/**
 * How letters stand by the records about them, in the file of the index.
 *
 * S1  A letter that is under way is kept in memory until its outcome is known, moments later as a rule: so a run writes each
 *     letter once. The file goes no further than before the oldest of these; who opens it reads their records again.
 * S2  Nothing older is written over something newer: others have the same file.
 * S3  It stands among the `states` of letters, and among `standings` while the index has no such letter.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { type Standing, standingIn, type StandingRow } from './letter-row.ts'

/** More than a run has under way at once; a handler that is away may keep as many waiting as it likes. */
const MOST_IN_MEMORY = 20_000

export class Standings {
  readonly #find: StatementSync
  readonly #findKept: StatementSync
  readonly #has: StatementSync
  readonly #tell: StatementSync
  readonly #keep: StatementSync
  readonly #keepAll: StatementSync
  readonly #underWay = new Map<string, Standing>()
  #stream: string | undefined
  #until = 0

  /** Of a file that has the tables of `SCHEMA`. */
  constructor(db: DatabaseSync) {
    const columns = 'state, record_seq, edit_seq, is_gone, run, redrives'
    this.#find = db.prepare(`SELECT ${columns} FROM listed WHERE subject = ?`)
    this.#findKept = db.prepare(`SELECT ${columns} FROM standings WHERE subject = ?`)
    this.#has = db.prepare('SELECT seq FROM letters WHERE subject = ?')
    this.#keepAll = db.prepare(
      `INSERT OR REPLACE INTO standings SELECT subject, ${columns} FROM listed WHERE record_seq > 0`,
    )
    this.#keep = db.prepare(`INSERT INTO standings VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET state = excluded.state, record_seq = excluded.record_seq, edit_seq = excluded.edit_seq,
        is_gone = excluded.is_gone, run = excluded.run, redrives = excluded.redrives WHERE excluded.record_seq > record_seq`)
    this.#tell =
      db.prepare(`UPDATE states SET state = ?, record_seq = ?, edit_seq = ?, is_gone = ?, run = ?, redrives = ?
      WHERE seq = (SELECT seq FROM letters WHERE subject = ?) AND record_seq < ?`)
  }

  of(subject: string): Standing | undefined {
    return this.#underWay.get(subject) ?? this.#written(subject)
  }

  /** Of a letter whose standing the file does not have yet. */
  unwrittenOf(subject: string): Standing | undefined {
    return this.#underWay.get(subject)
  }

  /** Whose standings are in memory; undefined when none are. */
  get stream(): string | undefined {
    return this.#underWay.size === 0 ? undefined : this.#stream
  }

  /** Up to which record of that stream all is known here, in the file or not; 0 for another stream. */
  untilOf(stream: string): number {
    return stream === this.#stream ? this.#until : 0
  }

  /** Adds what is known up to `until`, within a transaction. Returns up to where the file has it. Upholds S1. */
  add(stream: string, standings: ReadonlyMap<string, Standing>, until: number): number {
    if (stream !== this.#stream) this.forget()
    this.#stream = stream
    this.#until = Math.max(until, this.#until)
    for (const [subject, standing] of standings) {
      if (standing.state === 'redriven') {
        this.#underWay.set(subject, standing)
        continue
      }
      this.#underWay.delete(subject)
      this.#write(subject, standing)
    }
    if (this.#underWay.size > MOST_IN_MEMORY) this.writeAll()
    let oldest = this.#until + 1
    for (const { recordSeq } of this.#underWay.values()) oldest = Math.min(oldest, recordSeq)
    return oldest - 1
  }

  /** Those under way too, within a transaction. Returns up to where the file has them then. */
  writeAll(): number {
    for (const [subject, standing] of this.#underWay) this.#write(subject, standing)
    this.#underWay.clear()
    return this.#until
  }

  /** Keeps those of all letters, which the index is about to forget, within a transaction. Upholds S3. */
  keepAll(): void {
    this.#keepAll.run()
  }

  /** They are of no stream any more. */
  forget(): void {
    this.#underWay.clear()
    this.#stream = undefined
    this.#until = 0
  }

  #written(subject: string): Standing | undefined {
    const row = this.#find.get(subject) ?? this.#findKept.get(subject)
    return row && standingIn(row as StandingRow)
  }

  /** Upholds S2 and S3. */
  #write(subject: string, { state, recordSeq, editSeq, isGone, run, redrives }: Standing): void {
    const values = [state, recordSeq, editSeq, Number(isGone), run ?? null, redrives] as const
    const isTold = this.#tell.run(...values, subject, recordSeq).changes > 0
    if (!isTold && !this.#has.get(subject)) this.#keep.run(subject, ...values)
  }
}
