import { defineService, event, hours, on, retry, stream } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { testArchive } from './archive.ts'
import { kept, letters } from './kept.ts'
import { publishBytes } from './raw-client.ts'

const notes = stream('NOTES', { subjects: ['note.>'], maxAgeMs: hours(1), maxBytes: 64 * 1024 ** 2 })
const Note = z.object({ name: z.string() })
const written = event('note.written', { stream: notes, schema: Note })

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
const lines = (...header: string[]): Buffer => Buffer.from(header.map((line) => `${line}\r\n`).join(''), 'latin1')
const ours = (id: string, type: string = written.type, more: string[] = []): Buffer =>
  lines('ce-specversion: 1.0', `ce-id: ${id}`, `ce-type: ${type}`, 'ce-source: /plain', ...more)

type Foreign = { what: string; header?: Buffer; payload: Buffer; code: string }

const FOREIGN: Foreign[] = [
  { what: 'no headers', payload: Buffer.from('{"name":"a"}'), code: 'MESH_UNDECODABLE' },
  { what: 'nothing at all', payload: Buffer.alloc(0), code: 'MESH_UNDECODABLE' },
  { what: 'every byte there is, no headers', payload: everyByte, code: 'MESH_UNDECODABLE' },
  { what: 'every byte there is', header: ours('b'), payload: everyByte, code: 'MESH_UNDECODABLE' },
  {
    what: 'half a character',
    header: ours('c'),
    payload: Buffer.from([0x22, 0xe7, 0x95, 0x22]),
    code: 'MESH_UNDECODABLE',
  },
  { what: 'a byte order mark', header: ours('d'), payload: Buffer.from('\uFEFF{"name":'), code: 'MESH_UNDECODABLE' },
  { what: 'an empty payload', header: ours('e'), payload: Buffer.alloc(0), code: 'MESH_UNDECODABLE' },
  {
    what: 'a type nobody knows',
    header: ours('f', 'note.burnt'),
    payload: Buffer.from('{}'),
    code: 'MESH_UNKNOWN_TYPE',
  },
  {
    what: 'bytes in a header',
    header: lines('x-name: \xff\xfe', 'ce-id: \xc3'),
    payload: everyByte,
    code: 'MESH_UNDECODABLE',
  },
  { what: 'a header without value', header: lines('X:', 'Y'), payload: everyByte, code: 'MESH_UNDECODABLE' },
  { what: 'an id twice', header: lines('ce-id: 1', 'ce-id: 2'), payload: everyByte, code: 'MESH_UNDECODABLE' },
  {
    what: 'a version that is none',
    header: ours('g', written.type, ['ce-dataschema: note.written/latest']),
    payload: Buffer.from('{"name":"g"}'),
    code: 'MESH_UNDECODABLE',
  },
]

test('what a client without our headers stores is a dead letter and archived, byte for byte both', async () => {
  await using t = await testMesh()
  await using archive = await testArchive(t)
  const handled: string[] = []
  const read = on(written, { startFrom: 'all' }, (note) => void handled.push(note.name))
  await t.mesh.start(defineService('reader', { handlers: { read } }))
  for (const { header, payload } of FOREIGN)
    await publishBytes(t.url, `${t.namespace}.note.written`, { payload, ...(header && { header }) })
  await t.mesh.publish(written, { name: 'good' })
  const dead = await letters(t, FOREIGN.length)
  await eventually(() => expect(handled).toEqual(['good']))
  for (const [index, { what, payload, code }] of FOREIGN.entries()) {
    const letter = dead.find(({ headers }) => headers['malha-dlq-seq'] === String(index + 1))
    expect({ what, code: letter?.headers['malha-dlq-code'] }).toEqual({ what, code })
    expect({ what, same: letter!.payload.equals(payload) }).toEqual({ what, same: true })
  }
  expect(await archive.audit()).toMatchObject({ clean: true })
  const archived = await archive.events('NOTES')
  expect(archived).toHaveLength(FOREIGN.length + 1)
  for (const [index, { what, payload }] of FOREIGN.entries())
    expect({ what, bytes: archived[index]?.payloadBase64 }).toEqual({ what, bytes: payload.toString('base64') })
  expect((await archive.events('DEAD_LETTERS')).map(({ payloadBase64 }) => payloadBase64).toSorted()).toEqual(
    FOREIGN.map(({ payload }) => payload.toString('base64')).toSorted(),
  )
})

test('a version nobody knows waits for the release that does; then it is handled', async () => {
  await using t = await testMesh()
  const handled: unknown[] = []
  const brief = retry({ attempts: 2, minDelayMs: 10, maxDelayMs: 20 })
  const options = { startFrom: 'all', retry: brief } as const
  const older = defineService('reader', {
    handlers: { read: on(written, options, (note) => void handled.push(note)) },
  })
  const running = await t.mesh.start(older)
  const header = ours('new', written.type, ['ce-dataschema: note.written/2'])
  await publishBytes(t.url, `${t.namespace}.note.written`, { header, payload: Buffer.from('{"title":"t"}') })
  await t.mesh.publish(written, { name: 'old' })
  await eventually(async () => expect((await kept(t, 'MESH')).length).toBeGreaterThanOrEqual(1))
  await eventually(() => expect(handled).toEqual([{ name: 'old' }]))
  await running.stop()
  expect(await kept(t, 'DEAD_LETTERS')).toEqual([])
  const titled = event('note.written', {
    stream: notes,
    schema: z.object({ title: z.string() }),
    version: 2,
    upcast: (data) => ({ title: (data as { name: string }).name }),
  })
  const newer = defineService('reader', {
    handlers: { read: on(titled, options, (note) => void handled.push(note)) },
  })
  await (await t.connect()).start(newer)
  await eventually(() => expect(handled).toEqual([{ name: 'old' }, { title: 't' }]), { timeoutMs: 30_000 })
})
