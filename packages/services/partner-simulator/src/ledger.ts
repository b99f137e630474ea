import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { PartnerName } from './partners.ts'

/** What a partner did, once: the answer is `dialect.answer(effect)`. */
export type Effect = { effect: number; body: string }

/** What came in for one centre. `keys` are the distinct idempotency keys. */
export type ReceivedCenter = { effects: number; attempts: number; keys: string[] }
export type Received = { created: number; attempts: number; byCenter: Record<string, ReceivedCenter> }

/**
 * What a partner has received and done. Every call is one transaction that is in the file when it returns, so a killed
 * process has forgotten nothing it answered.
 */
export interface Ledger {
  /** Someone asked for something, whatever comes of it. */
  attempt(centerId: string, key: string | undefined): void
  /** The first effect of a key. */
  find(key: string): Effect | undefined
  /** Does the work. @returns the number of the effect, counted from 1 */
  create(centerId: string, key: string, body: string): number
  received(): Received
  close(): void
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS attempts (
    center TEXT NOT NULL, key TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (center, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS effects (
    effect INTEGER PRIMARY KEY AUTOINCREMENT, center TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS effects_by_key ON effects (key, effect);
  CREATE INDEX IF NOT EXISTS effects_by_center ON effects (center);
`

/** Stands for a missing key: a real one is never empty. */
const NO_KEY = ''

/**
 * Opens the ledger of a partner.
 * @param dataDir where `<partner>.sqlite` is kept; without it everything is forgotten at the end
 */
export function openLedger(partner: PartnerName, dataDir?: string): Ledger {
  if (dataDir !== undefined) mkdirSync(dataDir, { recursive: true })
  const database = new DatabaseSync(dataDir === undefined ? ':memory:' : join(dataDir, `${partner}.sqlite`))
  // In WAL mode NORMAL survives the death of the process; FULL would cost a disk flush a request to survive that of the machine.
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000; ${SCHEMA}`)
  const attempt = database.prepare(
    'INSERT INTO attempts VALUES (?, ?, 1) ON CONFLICT (center, key) DO UPDATE SET count = count + 1',
  )
  const find = database.prepare('SELECT effect, body FROM effects WHERE key = ? ORDER BY effect LIMIT 1')
  const create = database.prepare('INSERT INTO effects (center, key, body) VALUES (?, ?, ?)')
  return {
    attempt: (centerId, key) => void attempt.run(centerId, key ?? NO_KEY),
    find: (key) => find.get(key) as Effect | undefined,
    create: (centerId, key, body) => Number(create.run(centerId, key, body).lastInsertRowid),
    received: () => received(database),
    close: () => database.close(),
  }
}

function received(database: DatabaseSync): Received {
  const byCenter = new Map<string, ReceivedCenter>()
  const of = (centerId: string): ReceivedCenter => {
    const center = byCenter.get(centerId) ?? { effects: 0, attempts: 0, keys: [] }
    byCenter.set(centerId, center)
    return center
  }
  for (const row of database.prepare('SELECT center, key, count FROM attempts ORDER BY center, key').iterate()) {
    const { center, key, count } = row as { center: string; key: string; count: number }
    of(center).attempts += count
    if (key !== NO_KEY) of(center).keys.push(key)
  }
  for (const row of database.prepare('SELECT center, count(*) AS effects FROM effects GROUP BY center').iterate()) {
    const { center, effects } = row as { center: string; effects: number }
    of(center).effects = effects
  }
  const sum = (what: 'effects' | 'attempts'): number =>
    [...byCenter.values()].reduce((total, center) => total + center[what], 0)
  // Object.fromEntries defines even a key such as __proto__ as a plain property.
  return { created: sum('effects'), attempts: sum('attempts'), byCenter: Object.fromEntries(byCenter) }
}
