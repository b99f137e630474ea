import { defineService, event, hours, on, stream } from '@malha/mesh'
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
