/**
 * Letters by what is asked of them, in a SQLite file that can be thrown away: it is made again from the streams.
 *
 * X1  Up to a position the file has all that the stream has up to there: both are written in one transaction.
 * X2  The file is of one stream of letters and one of records; made anew, a stream is another one, and the file begins again.
 */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { sql } from 'kysely'
import { inTransaction, numberIn, openIndexFile } from './index-file.ts'
import type { Letter } from './letter.ts'
import {
  filtered,
  filteredGroups,
  filteredShort,
  filteredToCount,
  isOfGroups,
  type LetterFilter,
  type LetterPage,
  type LetterQuery,
  type LetterReach,
  type LetterRow,
  within,
} from './letter-filter.ts'
import {
  BRIEF,
  type BriefLetter,
  briefIn,
  type BriefRow,
  letterIn,
  letterRow,
  type ListedLetter,
  OPEN,
  reasonRow,
  type Standing,
  standingIn,
  stateRow,
} from './letter-row.ts'
import { Standings } from './standings.ts'

/** Letters that failed in the same way. */
export type LetterGroup = {
  readonly group: string
  readonly service: string | undefined
  readonly handler: string | undefined
  readonly code: string
  readonly errorClass: string | undefined
  readonly reason: string
  readonly letters: number
  readonly firstAt: string
  readonly lastAt: string
}

const GROUP_COLUMNS = [
  'grp as group',
  'service',
  'handler',
  'code',
  'error_class as errorClass',
  'grp_reason as reason',
] as const

/** What a stream is followed for. */
export type Followed = 'letters' | 'records'

export class LetterIndex implements Disposable {
  readonly #db: DatabaseSync
  readonly #standings: Standings

  /** @throws OperationsError OPERATIONS_INDEX_FAILED */
  constructor(file: string) {
    this.#db = openIndexFile(file)
    this.#standings = new Standings(this.#db)
  }

  /** Up to which sequence it has all of that stream; 0 for one it is not of. */
  untilOf(what: Followed, stream: string): number {
    const known = this.#position(what)
    const inFile = known?.stream === stream ? known.until : 0
    return what === 'records' ? Math.max(inFile, this.#standings.untilOf(stream)) : inFile
  }

  /** Whether it is of another stream than that; of none it is not. */
  isOther(what: Followed, stream: string): boolean {
    const known = this.#position(what)
    return known !== undefined && known.stream !== stream
  }

  /** Adds what comes next of the stream of letters: all up to `until`. Upholds X1 and X2. */
  addLetters(stream: string, letters: readonly Letter[], until: number): void {
    inTransaction(this.#db, () => {
      if (this.isOther('letters', stream)) this.#forget()
      const insertReason = this.#db.prepare(`INSERT OR IGNORE INTO reasons VALUES (${'?, '.repeat(5)}?)`)
      const insertLetter = this.#db.prepare(`INSERT OR REPLACE INTO letters VALUES (${'?, '.repeat(4)}?)`)
      const insertState = this.#db.prepare(`INSERT OR REPLACE INTO states VALUES (${'?, '.repeat(13)}?)`)
      for (const letter of letters) {
        const standing = this.#standings.of(letter.subject)
        insertReason.run(...reasonRow(letter))
        insertLetter.run(...letterRow(letter))
        insertState.run(...stateRow(letter, standing))
      }
      this.#goTo('letters', stream, until)
    })
  }

  /** The same of the stream of records: how each letter named stands by now. */
  addStandings(stream: string, standings: ReadonlyMap<string, Standing>, until: number): void {
    inTransaction(this.#db, () => {
      if (this.isOther('records', stream)) this.#forgetStandings()
      this.#goToRecord(stream, this.#standings.add(stream, standings, until))
    })
  }

  /** How a letter stands; open where nothing is known of it. */
  standingOf(subject: string): Standing {
    return this.#standings.of(subject) ?? OPEN
  }

  /** The stream lost its end, and gives its numbers to other letters: what is known of it is void. */
  forgetLetters(): void {
    inTransaction(this.#db, () => this.#forget())
  }

  /** The same of records. */
  forgetRecords(): void {
    inTransaction(this.#db, () => {
      this.#forgetStandings()
      this.#db.exec("DELETE FROM positions WHERE what = 'records'")
    })
  }

  /** Forgets letters that somebody removed from the stream. */
  remove(seqs: readonly number[]): void {
    const gone = this.#db.prepare('DELETE FROM letters WHERE seq = ?')
    for (const seq of seqs) gone.run(seq)
  }

  removeBelow(firstSeq: number): void {
    this.#db.prepare('DELETE FROM letters WHERE seq < ?').run(firstSeq)
  }

  get size(): number {
    return numberIn(this.#db, 'SELECT coalesce(sum(letters), 0) FROM groups')
  }

  /** The newest first; `next` is where the next page begins, undefined at the end. */
  page(filter: LetterFilter, { limit = 50, after }: LetterPage): { letters: ListedLetter[]; next: number | undefined } {
    this.#writeStandings()
    let query = filtered(filter)
    if (after !== undefined) query = query.where('seq', '<', after)
    const letters = this.#letters(query.orderBy('seq', 'desc').limit(limit + 1))
    return { letters: letters.slice(0, limit), next: letters.length > limit ? letters[limit - 1]!.seq : undefined }
  }

  letter(seq: number): ListedLetter | undefined {
    return this.#letters(filtered({}).where('seq', '=', seq))[0]
  }

  /** The oldest first. */
  onwards(filter: LetterFilter, reach: LetterReach): ListedLetter[] {
    if (filter.state !== undefined) this.#writeStandings()
    return this.#letters(within(filtered(filter), reach))
  }

  /** The same in brief. One that is under way may be further than it says here. */
  brief(filter: LetterFilter, reach: LetterReach): BriefLetter[] {
    if (filter.state !== undefined) this.#writeStandings()
    return this.#rows<BriefRow>(within(filteredShort(filter), reach).select(BRIEF).compile()).map(briefIn)
  }

  /** How a letter stands that is under way; of another one undefined. */
  underWay(subject: string): Standing | undefined {
    return this.#standings.unwrittenOf(subject)
  }

  /** Groups are counted already, but not up to where. */
  count(filter: LetterFilter, upTo: number = this.last): number {
    this.#writeStandings()
    const query =
      isOfGroups(filter) && upTo >= this.last
        ? filteredGroups(filter).select(({ fn }) => fn.coalesce(fn.sum<number>('letters'), sql<number>`0`).as('count'))
        : filteredToCount(filter)
            .where('seq', '<=', upTo)
            .select(({ fn }) => fn.countAll<number>().as('count'))
    return this.#rows<{ count: number }>(query.compile())[0]!.count
  }

  /** Whose letters they are, up to `upTo`. */
  handlers(filter: LetterFilter, upTo: number): { service: string; handler: string; letters: number }[] {
    this.#writeStandings()
    const query = filteredToCount(filter)
      .where('seq', '<=', upTo)
      .where('service', 'is not', null)
      .select(['service', 'handler'])
      .select(({ fn }) => fn.countAll<number>().as('letters'))
      .groupBy(['service', 'handler'])
    return this.#rows(query.compile())
  }

  /** Sequence of the last letter. */
  get last(): number {
    return numberIn(this.#db, 'SELECT coalesce(max(seq), 0) FROM states')
  }

  /** Sequence of the last record that it has. */
  get lastRecord(): number {
    this.#writeStandings()
    return numberIn(this.#db, "SELECT coalesce(max(until), 0) FROM positions WHERE what = 'records'")
  }

  /** The largest first. */
  groups(filter: LetterFilter, limit: number): LetterGroup[] {
    this.#writeStandings()
    const compiled = isOfGroups(filter)
      ? filteredGroups(filter)
          .select('grp as group')
          .select(({ fn }) => [fn.sum<number>('letters').as('count'), fn.min('first_at').as('firstAt')])
          .select(({ fn }) => fn.max('last_at').as('lastAt'))
          .groupBy('grp')
          .orderBy(sql`count`, 'desc')
          .limit(limit)
          .compile()
      : filteredToCount(filter)
          .select('grp as group')
          .select(({ fn }) => [fn.countAll<number>().as('count'), fn.min('at').as('firstAt')])
          .select(({ fn }) => fn.max('at').as('lastAt'))
          // Not in the order of the groups: that would read every letter there is.
          .groupBy(sql`+grp`)
          .orderBy(sql`count`, 'desc')
          .limit(limit)
          .compile()
    return this.#rows<{ group: string; count: number; firstAt: string; lastAt: string }>(compiled).map(
      ({ group, count, ...times }) => ({ ...this.#groupOf(group), ...times, letters: count }),
    )
  }

  /** What its letters have in common. */
  #groupOf(group: string): Omit<LetterGroup, 'letters' | 'firstAt' | 'lastAt'> {
    const query = filteredGroups({ group }).select(GROUP_COLUMNS).limit(1).compile()
    const said = Object.entries(this.#rows<Record<string, string | null>>(query)[0]!)
    return Object.fromEntries(said.map(([name, value]) => [name, value ?? undefined])) as unknown as LetterGroup
  }

  [Symbol.dispose](): void {
    this.#db.close()
  }

  #position(what: Followed): { stream: string; until: number } | undefined {
    const row = this.#db.prepare('SELECT stream, until FROM positions WHERE what = ?').get(what)
    return row as { stream: string; until: number } | undefined
  }

  #goTo(what: Followed, stream: string, until: number): void {
    this.#db.prepare('INSERT OR REPLACE INTO positions VALUES (?, ?, ?)').run(what, stream, until)
  }

  /** For the next to ask the file by how letters stand. */
  #writeStandings(): void {
    const { stream } = this.#standings
    if (stream !== undefined) inTransaction(this.#db, () => this.#goToRecord(stream, this.#standings.writeAll()))
  }

  /** Somebody beside this process may have written more of it by now. */
  #goToRecord(stream: string, until: number): void {
    const row = this.#position('records')
    this.#goTo('records', stream, row?.stream === stream ? Math.max(until, row.until) : until)
  }

  #forget(): void {
    this.#standings.keepAll()
    this.#db.exec("DELETE FROM letters; DELETE FROM positions WHERE what = 'letters'")
  }

  #forgetStandings(): void {
    this.#standings.forget()
    this.#db.exec(
      "DELETE FROM standings; UPDATE states SET state = 'open', record_seq = 0, edit_seq = 0, is_gone = 0, run = NULL, redrives = 0",
    )
  }

  #letters(query: LetterQuery): ListedLetter[] {
    return this.#rows<LetterRow>(query.selectAll().compile()).map((row) => {
      const letter = letterIn(row)
      return { ...letter, ...(this.underWay(letter.subject) ?? standingIn(row)) }
    })
  }

  #rows<Found>({ sql: text, parameters }: { sql: string; parameters: readonly unknown[] }): Found[] {
    return this.#db.prepare(text).all(...(parameters as SQLInputValue[])) as Found[]
  }
}
