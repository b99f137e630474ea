import { isDeepStrictEqual } from 'node:util'
import { event, MeshError, prepareEvent, stream } from '@malha/mesh'
import { eventOf } from '../../../packages/outbox-postgres/src/relay/event-of.ts'
import { OutboxError } from '../../../packages/outbox-postgres/src/errors.ts'
import { PatternsError } from '@malha/patterns'
import { parse } from '../../../packages/patterns/src/store/records.ts'
import {
  decodeRecord,
  encodeRecord,
  type KeptRetry,
  type PartitionRecord,
} from '../../../packages/mesh/src/consume/ordered/partition-record.ts'
import { checksum, type Entry, readHead } from '../../../packages/mesh/src/publish/spool/entry.ts'
import { statements } from '../../../packages/mesh/src/publish/spool/statements.ts'
import { isForgotten, KEPT_HANDLED, remembered, type SagaRecord } from '../../../packages/patterns/src/saga/record.ts'
import { Input } from '../engine/input.ts'
import { check, type Target } from '../engine/target.ts'
import { junk, spoiled } from './junk.ts'
import { spoolDatabase } from './spool-database.ts'

const db = spoolDatabase()
const sql = statements(db)

/** All that is kept is read back as it was; what was not written by this library is refused by name. */
export const records: Target = {
  name: 'records',
  async run(bytes) {
    const input = new Input(bytes)
    await input.pick([partition, foreignPartition, spoolRow, outboxRow, foreignRow, foreignRecord, sagaMemory])(input)
  },
  seeds: [
    '\0\x01\x01\x01\x01',
    '\x01{"v":1,"epoch":1,"fence":1,"owner":"a","writes":1,"read":1,"seen":1,"seenAt":"1","running":"a b","open":[[1,"c"]]}',
    '\x02\x01\x05abc',
    '\x03{}',
    '\x04\0',
    '\x05{"v":1}',
    '\x06\x05',
  ].map((text) => new TextEncoder().encode(text)),
  words: ['"v":1', '"v":2', '"running":""', '"open":[]', 'null', '[]', '{}', '"retry"', '1e999'],
}

function partition(input: Input): void {
  const running = [...new Set(input.list(12, () => input.integer()))].sort((a, b) => a - b)
  const retry = (): KeptRetry => ({
    attempts: input.byte(),
    failures: input.byte(),
    firstFailureAt: input.integer(),
    dueAt: input.integer(),
    delayMs: input.integer(),
  })
  const open = input.list(6, () => ({
    from: input.integer(),
    token: input.text(20),
    ...(input.flag() && { retry: retry() }),
  }))
  const record: PartitionRecord = {
    epoch: input.integer(),
    fence: input.integer(),
    owner: input.text(20),
    writes: input.integer(),
    read: input.integer(),
    seen: input.integer(),
    seenAt: String(input.integer()),
    running,
    open,
  }
  const back = decodeRecord(new TextDecoder().decode(new TextEncoder().encode(encodeRecord(record))))
  check(isDeepStrictEqual(back, record), 'a partition’s record is read back as another', record, back)
}

function foreignPartition(input: Input): void {
  const text = Buffer.from(input.rest()).toString()
  let record: PartitionRecord
  try {
    record = decodeRecord(text)
  } catch (error) {
    check(error instanceof MeshError, 'a partition’s record is refused without a code', error)
    return
  }
  const { epoch, fence, writes, read, seen, running, open } = record
  const numbers = [epoch, fence, writes, read, seen, ...running, ...open.map(({ from }) => from)]
  check(numbers.every(Number.isSafeInteger), 'a partition’s record has a number that is none', text, record)
  check(typeof record.owner === 'string' && typeof record.seenAt === 'string', 'a text that is none', text, record)
  check(
    open.every(({ token }) => typeof token === 'string'),
    'a key that is none',
    text,
    record,
  )
}

function spoolRow(input: Input): void {
  const entry: Entry = {
    seq: 1 + (input.integer() % 2 ** 40),
    stream: input.text(20).toWellFormed().replaceAll('\0', ''),
    head: JSON.stringify({ v: 1, out: { subject: input.text(40) }, trace: {}, queuedAt: input.integer() }),
    payload: input.bytes(),
  }
  sql.removeAll.run(entry.stream, entry.seq, entry.seq)
  sql.insert.run(entry.seq, entry.stream, entry.head, entry.payload, checksum(entry))
  const row = sql.one.get(entry.seq) as unknown as Entry & { sum: number }
  sql.remove.run(entry.seq)
  const { sum, ...back } = row
  check(checksum(back) === sum, 'a row that did not change has another sum', entry, back)
  check(isDeepStrictEqual(readHead(back), readHead(entry)), 'another head', entry, back)
  check(Buffer.from(back.payload).equals(entry.payload) && back.stream === entry.stream, 'another row', entry, back)
  const changed = flipped(input, entry)
  if (changed) check(checksum(changed) !== sum, 'a byte that changed is not noticed', entry, changed)
}

/** One bit of a row is another; undefined where it is none. */
function flipped(input: Input, entry: Entry): Entry | undefined {
  const payload = entry.payload.slice()
  if (payload.length === 0) return undefined
  const at = input.upTo(payload.length - 1)
  payload[at] = payload[at]! ^ (1 << input.upTo(7))
  return { ...entry, payload }
}

const notes = stream('NOTES', { subjects: ['note.>'] })
const schema = {
  '~standard': { version: 1, vendor: 'fuzz', validate: (value: unknown) => ({ value: value as Note }) },
} as const
type Note = { key: string; text: unknown }
const written = event<Note>('note.written', { stream: notes, schema, key: ({ key }) => key })

async function outboxRow(input: Input): Promise<void> {
  const data = { key: input.text(20), text: input.text(200) }
  const headers = Object.fromEntries(input.list(3, () => [`x-${input.byte()}`, input.text(20)]))
  const options = { from: input.text(20), once: input.flag(), headers, correlationId: input.text(20) }
  const prepared = await prepareEvent(written, data, options).catch((error: unknown) => {
    check(error instanceof MeshError, 'an event is refused without a code', error)
    return undefined
  })
  if (!prepared) return
  const { payload, ...message } = prepared
  // As jsonb gives it back.
  const read = eventOf(7, JSON.parse(JSON.stringify(message)), payload)
  check(isDeepStrictEqual(withoutUndefined(read), withoutUndefined(prepared)), 'a row is another event', prepared, read)
}

const withoutUndefined = (value: object): unknown => JSON.parse(JSON.stringify(value))

const { payload: _, ...ROW } = await prepareEvent(written, { key: 'k', text: 1 }, { from: 'me', id: 'i' })

function foreignRow(input: Input): void {
  const envelope = spoiled(input, ROW.envelope)
  const message = input.flag() ? spoiled(input, { ...ROW, envelope }) : junk(input)
  const read = eventOf(7, message, new Uint8Array())
  if (read instanceof OutboxError) return
  const { id, type, source, time, correlationId, contentType } = read.envelope
  const texts = [id, type, source, time, correlationId, contentType, read.stream, read.subject]
  check(
    texts.every((text) => typeof text === 'string'),
    'a row has a part that is no text',
    read,
  )
  check(read.headers.every(isPair) && read.trace.every(isPair), 'a row has a header that is none', read)
}

const isPair = (pair: unknown): boolean =>
  Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === 'string')

function foreignRecord(input: Input): void {
  try {
    const value = parse(Buffer.from(input.rest()).toString(), { what: 'saga order 7', format: 1 })
    check(value.v === 1, 'a record of no format was taken', value)
  } catch (error) {
    check(error instanceof PatternsError, 'a record is refused without a code', error)
  }
}

function sagaMemory(input: Input): void {
  let record = { handled: [] } as unknown as SagaRecord
  const seen: { stream: string; epoch: number; seq: number }[] = []
  for (let count = input.upTo(2 * KEPT_HANDLED); count > 0; count--) {
    const source = { stream: input.pick(['A', 'B']), epoch: input.upTo(1), seq: seen.length + 1 + input.upTo(3) }
    record = { ...record, ...remembered(record, { id: `${seen.length}`, type: 't', sends: [], source }) }
    seen.push(source)
  }
  check(record.handled.length <= KEPT_HANDLED, 'it remembers more than it should')
  for (const source of seen.slice(0, -KEPT_HANDLED))
    check(isForgotten(record, source), 'what was dropped could be taken for new', source, record.forgotten)
}
