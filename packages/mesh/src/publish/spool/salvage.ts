/**
 * Reads the events out of a torn file, page by page, whatever SQLite says of it. The format is
 * https://www.sqlite.org/fileformat.html; page size and schema are those of `database.ts`. What counts is the checksum of
 * each event: one that fits was written so.
 */
import { PAGE_BYTES } from './database.ts'
import { checksum, type DeadEntry, type Entry } from './entry.ts'

export type Salvaged = { entries: Entry[]; dead: (DeadEntry & { told: number })[] }

type Value = null | number | string | Buffer

const LEAF_PAGE = 0x0d
const ENTRY_COLUMNS = 5
const DEAD_COLUMNS = 9

/** Every event of the file that is whole, in the order in which they were queued. */
export function salvage(file: Buffer): Salvaged {
  const entries = new Map<number, Entry>()
  const dead = new Map<number, DeadEntry & { told: number }>()
  for (const { rowid, values } of rowsOf(file)) {
    const [, stream, head, payload, sum] = values
    if (typeof stream !== 'string' || typeof head !== 'string' || !Buffer.isBuffer(payload)) continue
    const entry: Entry = { seq: rowid, stream, head, payload: Buffer.from(payload) }
    if (checksum(entry) !== sum) continue
    if (values.length === ENTRY_COLUMNS) entries.set(rowid, entry)
    else dead.set(rowid, { ...entry, death: deathOf(values), told: Number(values[8]) })
  }
  const bySeq = (a: Entry, b: Entry): number => a.seq - b.seq
  // An entry that died in the moment of the damage may stand in both.
  const alive = [...entries.values()].filter(({ seq }) => !dead.has(seq))
  return { entries: alive.sort(bySeq), dead: [...dead.values()].sort(bySeq) }
}

function deathOf(values: Value[]): DeadEntry['death'] {
  const text = (value: Value | undefined): string => (typeof value === 'string' ? value : '')
  return { code: text(values[5]), reason: text(values[6]), at: text(values[7]) }
}

type Row = { rowid: number; values: Value[] }

/** Page 1 holds the schema only. */
function* rowsOf(file: Buffer): Generator<Row> {
  for (let start = PAGE_BYTES; start + PAGE_BYTES <= file.length; start += PAGE_BYTES) {
    const page = file.subarray(start, start + PAGE_BYTES)
    if (page[0] !== LEAF_PAGE) continue
    const cells = Math.min(page.readUInt16BE(3), (PAGE_BYTES - 8) / 2)
    for (let index = 0; index < cells; index++) {
      const row = rowAt(file, page, page.readUInt16BE(8 + index * 2))
      if (row !== undefined) yield row
    }
  }
}

/** Undefined where it is no row of ours, or leads out of the file. */
function rowAt(file: Buffer, page: Buffer, offset: number): Row | undefined {
  try {
    const [length, afterLength] = varint(page, offset)
    const [rowid, afterRowid] = varint(page, afterLength)
    if (length > file.length) return undefined
    const values = valuesOf(recordOf(file, page.subarray(afterRowid), length))
    return values === undefined ? undefined : { rowid, values }
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return undefined
    throw error
  }
}

/** The bytes of a row: those in its cell, and those on the chain of pages behind it. */
function recordOf(file: Buffer, cell: Buffer, length: number): Buffer {
  const most = PAGE_BYTES - 35
  if (length <= most) return taken(cell, length)
  const least = Math.floor(((PAGE_BYTES - 12) * 32) / 255) - 23
  const fitting = least + ((length - least) % (PAGE_BYTES - 4))
  const local = fitting <= most ? fitting : least
  const parts = [taken(cell, local)]
  let next = cell.readUInt32BE(local)
  for (let rest = length - local; rest > 0;) {
    const start = (next - 1) * PAGE_BYTES
    if (next < 2 || start + PAGE_BYTES > file.length) throw new RangeError('the chain leads out of the file')
    const size = Math.min(rest, PAGE_BYTES - 4)
    parts.push(file.subarray(start + 4, start + 4 + size))
    rest -= size
    next = file.readUInt32BE(start)
  }
  return Buffer.concat(parts)
}

function taken(bytes: Buffer, length: number): Buffer {
  if (length > bytes.length) throw new RangeError('the row leads out of its page')
  return bytes.subarray(0, length)
}

/** Undefined when it has not as many columns as a row of ours. */
function valuesOf(record: Buffer): Value[] | undefined {
  const [headerLength, first] = varint(record, 0)
  const types: number[] = []
  for (let at = first; at < headerLength;) {
    const [type, next] = varint(record, at)
    types.push(type)
    at = next
  }
  if (types.length !== ENTRY_COLUMNS && types.length !== DEAD_COLUMNS) return undefined
  let at = headerLength
  return types.map((type) => {
    const size = sizeOfType(type)
    const bytes = taken(record.subarray(at), size)
    at += size
    return valueOf(type, bytes)
  })
}

const INTEGER_BYTES: readonly number[] = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0]

const sizeOfType = (type: number): number => (type >= 12 ? (type - 12) >> 1 : (INTEGER_BYTES[type] ?? 0))

function valueOf(type: number, bytes: Buffer): Value {
  if (type >= 12) return type % 2 === 0 ? bytes : bytes.toString('utf8')
  if (type === 8 || type === 9) return type - 8
  if (type === 6) return Number(bytes.readBigInt64BE(0))
  if (type >= 1 && type <= 5) return bytes.readIntBE(0, bytes.length)
  return null
}

function varint(bytes: Buffer, offset: number): [value: number, next: number] {
  let value = 0n
  for (let index = 0; index < 9; index++) {
    const byte = bytes.readUInt8(offset + index)
    if (index === 8) return [Number((value << 8n) | BigInt(byte)), offset + 9]
    value = (value << 7n) | BigInt(byte & 0x7f)
    if (byte < 0x80) return [Number(value), offset + index + 1]
  }
  throw new RangeError('no number')
}
