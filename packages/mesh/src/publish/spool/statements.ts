import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { LETTER, ROW_BYTES } from './entry.ts'

/** As `sizeOf` says it. */
const SIZE = `octet_length(payload) + octet_length(head) + length(stream) + ${ROW_BYTES}`

type Name =
  | 'slots'
  | 'one'
  | 'insert'
  | 'remove'
  | 'removeAll'
  | 'last'
  | 'marks'
  | 'mark'
  | 'bury'
  | 'dead'
  | 'untold'
  | 'told'
  | 'exhume'

export function statements(db: DatabaseSync): Readonly<Record<Name, StatementSync>> {
  const prepare = (sql: string): StatementSync => db.prepare(sql)
  return {
    slots: prepare(
      `SELECT seq, stream, ${SIZE} AS bytes, json_extract(head, '$.queuedAt') AS queuedAt FROM entries ORDER BY seq`,
    ),
    one: prepare('SELECT seq, stream, head, payload, sum FROM entries WHERE seq = ?'),
    insert: prepare('INSERT INTO entries VALUES (?, ?, ?, ?, ?)'),
    remove: prepare('DELETE FROM entries WHERE seq = ?'),
    removeAll: prepare('DELETE FROM entries WHERE stream = ? AND seq BETWEEN ? AND ?'),
    // A salvage makes a new file, in which dead ones may have numbers that no entry has.
    last: prepare(
      "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'entries'), 0), coalesce((SELECT max(seq) FROM dead), 0)) AS seq",
    ),
    marks: prepare('SELECT stream, sent_to AS sentTo, floor FROM marks'),
    mark: prepare('INSERT OR REPLACE INTO marks VALUES (?, ?, ?)'),
    bury: prepare('INSERT INTO dead VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)'),
    dead: prepare(`SELECT seq, told, ${SIZE} AS bytes FROM dead ORDER BY seq`),
    untold: prepare(
      `SELECT seq, stream, head, payload, code, reason, at FROM dead WHERE told = ${LETTER.none} ORDER BY seq LIMIT 1`,
    ),
    told: prepare('UPDATE dead SET told = ? WHERE seq = ?'),
    exhume: prepare('DELETE FROM dead WHERE seq = ?'),
  }
}
