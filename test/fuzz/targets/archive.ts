import { isDeepStrictEqual } from 'node:util'
import { eventOf, type EventRow } from '../../../packages/archive/src/query/archived-event.ts'
import { type Row, ROW_COLUMNS, toRow } from '../../../packages/archive/src/message/row.ts'
import type { StoredMessage } from '../../../packages/archive/src/message/stored-message.ts'
import { nsOfTimestamp } from '../../../packages/archive/src/message/times.ts'
import { HEADER } from '../../../packages/mesh/src/message/headers.ts'
import { Input } from '../engine/input.ts'
import { check, type Target } from '../engine/target.ts'

const NAMES = Object.values(HEADER) as [string, ...string[]]

/** Every message is a row that ClickHouse can read, and the row has all of the message. */
export const archive: Target = {
  name: 'archive',
  run(bytes) {
    const input = new Input(bytes)
    const message: StoredMessage = {
      seq: 1 + input.integer(),
      subject: input.text(60),
      storedAtNs: String(input.flag() ? 1_795_271_400_123_456_789n + BigInt(input.integer()) : BigInt(input.integer())),
      headers: Object.fromEntries(
        input.list(6, () => [input.flag() ? input.pick(NAMES) : input.text(12), input.list(3, () => input.text(40))]),
      ),
      payload: input.rest(),
    }
    const row = toRow({ stream: 'JOBS', epoch: input.integer() % 2 ** 32 }, message)
    const sent = JSON.stringify(row)
    check(sent.isWellFormed() && !/\\u[dD][89abAB]/.test(sent.replaceAll('\\\\', '')), 'a row is no UTF-8', sent)
    const back = JSON.parse(sent) as Row
    check(isDeepStrictEqual(back, JSON.parse(JSON.stringify(row))), 'a row changes as it is sent', row)
    isReadable(back)
    holds(message, back)
  },
  seeds: ['', '\x01\x05\x03a.b\x01\x00\x02\x01\x01\x02ab', '\x01\x02\x06__prot'].map((text) =>
    new TextEncoder().encode(text),
  ),
  words: [
    '2026-11-21T12:00:09.120Z',
    '2026-02-30T25:61:61+99:99',
    '__proto__',
    '+02:00',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  ],
}

const DATE_TIME = /^(\d{4})-(0[1-9]|1[0-2])-([0-2]\d|3[01]) ([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d+$/

function isReadable(row: Row): void {
  check(row.length === ROW_COLUMNS.length, 'a row has another number of columns')
  const [occurredAt, publishedAt] = [row[11], row[12]]
  for (const [time, decimals] of [
    [occurredAt, 6],
    [publishedAt, 9],
  ] as const) {
    const match = DATE_TIME.exec(time)
    check(match !== null && time.split('.')[1]?.length === decimals, 'a time ClickHouse cannot read', time)
    check(Number(match[1]) >= 1900 && Number(match[1]) <= 2299, 'a time the column cannot hold', time)
  }
  for (const id of [row[9], row[10]]) check(/^[0-9a-f]*$/.test(id), 'a trace id that is none', id)
}

function holds(message: StoredMessage, row: Row): void {
  const columns = Object.fromEntries(ROW_COLUMNS.map((name, index) => [name, row[index]]))
  const read = eventOf({
    ...(columns as unknown as EventRow),
    seq: String(row[2]),
    occurred: row[11],
    published: row[12],
    archived: row[12],
  })
  check(read.seq === message.seq && read.subject === message.subject.toWellFormed(), 'another place', read)
  check(Buffer.from(read.payloadBase64, 'base64').equals(message.payload), 'another payload', read)
  check(read.payload === undefined || Buffer.from(read.payload).equals(message.payload), 'another text', read)
  check(
    nsOfTimestamp(read.publishedAt) === message.storedAtNs.padStart(10, '0').replace(/^0+(?=\d{10})/, ''),
    'another time',
    read,
  )
  for (const [name, values] of Object.entries(message.headers)) {
    const found = Object.entries(read.headers).some(
      ([one, those]) => one === name.toWellFormed() && values.every((value, at) => those[at] === value.toWellFormed()),
    )
    const hasRival = Object.keys(message.headers).filter((one) => one.toWellFormed() === name.toWellFormed()).length > 1
    check(found || hasRival, 'a header is lost', name, values, read.headers)
  }
}
