import { defineService, event, hours, on, retry, stream } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { testArchive } from './archive.ts'
import { letters } from './kept.ts'
import { publishBytes } from './raw-client.ts'

const notes = stream('NOTES', { subjects: ['note.>'], maxAgeMs: hours(1), maxBytes: 64 * 1024 ** 2 })
const Note = z.object({ name: z.string() })
const written = event('note.written', { stream: notes, schema: Note })

/** Lines that a server stores and this client would not write; some it refuses to read. */
const HEADERS = [
  'a name: with a space',
  'Schlüssel: name beyond ASCII',
  ' folded: line',
  '\x00: \x00',
  'no colon',
  ': no name',
  'X-Bad: \xff\xfe',
  'x: lone\nline feed',
  'NATS/1.0 503 No Responders',
]

test('header lines no client can read end nothing: each message is a dead letter and archived, and the next is handled', async () => {
  await using t = await testMesh()
  await using archive = await testArchive(t)
  const handled: string[] = []
  const read = on(written, { startFrom: 'all' }, (note) => void handled.push(note.name))
  await t.mesh.start(defineService('reader', { handlers: { read } }))
  const payload = Buffer.from('{"name":"odd"}')
  for (const [n, line] of HEADERS.entries()) {
    await publishBytes(t.url, `${t.namespace}.note.written`, { header: Buffer.from(`${line}\r\n`, 'latin1'), payload })
    await t.mesh.publish(written, { name: `good ${n}` }, { timeoutMs: 5_000 })
  }
  const expected = HEADERS.map((_, n) => `good ${n}`)
  await eventually(() => expect(handled.toSorted()).toEqual(expected))
  for (const letter of await letters(t, HEADERS.length)) {
    expect(letter.headers['malha-dlq-code']).toBe('MESH_UNDECODABLE')
    expect(letter.payload.equals(payload)).toBe(true)
  }
  expect(t.mesh.health()).toEqual({ ready: true, reasons: [] })
  expect(await archive.audit()).toMatchObject({ clean: true })
})

const EVENT_OF = 'malha-origin-stream: x_NOTES\r\nmalha-origin-epoch: 1\r\nmalha-origin-subject: x.note.written\r\n'
const REST_OF = 'malha-origin-time: 2026-01-02T00:00:00Z\r\nmalha-origin-stored-ns: 1\r\n'

test.each([
  ['nothing', ''],
  ['a sequence that is no number', `${EVENT_OF}${REST_OF}malha-origin-seq: many\r\n`],
  ['a time that is none', `${EVENT_OF}malha-origin-seq: 7\r\nmalha-origin-time: soon\r\nmalha-origin-stored-ns: 1\r\n`],
  ['a stream no server can have', `${EVENT_OF.replace('x_NOTES', 'a.>')}${REST_OF}malha-origin-seq: 7\r\n`],
])(
  'what somebody published on a lane that says of its event %s is a dead letter, and the next retry is made',
  async (_, header) => {
    await using t = await testMesh()
    const tried: string[] = []
    const read = on(
      written,
      { startFrom: 'all', retry: retry({ attempts: 2, minDelayMs: 20, maxDelayMs: 20 }) },
      (note) => {
        tried.push(note.name)
        if (tried.length === 1) throw new Error('not yet')
      },
    )
    await t.mesh.start(defineService('reader', { handlers: { read } }))
    const block = `ce-specversion: 1.0\r\nce-id: a\r\nce-type: note.written\r\nce-source: /x\r\n${header}`
    await publishBytes(t.url, t.mesh.names.laneTarget('reader', 'read'), {
      header: Buffer.from(block),
      payload: Buffer.from('{"name":"forged"}'),
    })
    const [letter] = await letters(t, 1)
    expect(letter!.headers).toMatchObject({ 'malha-dlq-code': 'MESH_UNDECODABLE', 'malha-dlq-seq': '1' })
    await t.mesh.publish(written, { name: 'good' })
    await eventually(() => expect(tried).toEqual(['good', 'good']))
  },
)
