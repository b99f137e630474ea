import { defineService, event, hours, MeshError, on, Reject, stream } from '@malha/mesh'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { testArchive } from './archive.ts'
import { kept, letters } from './kept.ts'

const notes = stream('NOTES', { subjects: ['note.>'], maxAgeMs: hours(1), maxBytes: 256 * 1024 ** 2 })
const Note = z.object({ key: z.string(), name: z.string() })
type Note = z.infer<typeof Note>
const written = event('note.written', { stream: notes, schema: Note, key: (note) => note.key })

const KEYS = [
  'a.b',
  'a b',
  ' ',
  '*',
  '>',
  '.',
  'a.>',
  '=YQ',
  'YQ',
  'YSBi',
  '%20',
  '"quoted"',
  'tab\tbed',
  'line\r\nce-type: forged',
  '\0',
  'São Paulo',
  '東京',
  '👩‍👩‍👧‍👦',
  'مركز التوزيع',
  '\u202Egnirts\u202C',
  '__proto__',
  '$JS.API.STREAM.DELETE.NOTES',
  'x'.repeat(128),
  '界'.repeat(42),
]

/** A service that handles notes, and gives those up whose name says so. */
async function reading(t: TestMesh): Promise<Map<string, Note>> {
  const seen = new Map<string, Note>()
  const read = on(written, { startFrom: 'all' }, (note, ctx) => {
    expect(ctx.key).toBe(note.key)
    seen.set(ctx.id, note)
    if (note.name.startsWith('reject')) throw new Reject(`no room for ${note.key}`)
  })
  await t.mesh.start(defineService('reader', { handlers: { read } }))
  return seen
}

test('a key in any script, with dots, spaces, wildcards or line ends, goes unchanged from publish to the archive', async () => {
  await using t = await testMesh()
  await using archive = await testArchive(t)
  const seen = await reading(t)
  const subjects = new Set<string>()
  for (const [n, key] of KEYS.entries()) {
    await t.mesh.publish(written, { key, name: `reject ${key}` }, { id: `n${n}` })
    await t.mesh.publish(written, { key, name: key }, { id: `m${n}` })
  }
  const dead = await letters(t, KEYS.length)
  await eventually(() => expect(seen.size).toBe(2 * KEYS.length))
  for (const [n, key] of KEYS.entries()) {
    expect(seen.get(`n${n}`)).toEqual({ key, name: `reject ${key}` })
    expect(seen.get(`m${n}`)).toEqual({ key, name: key })
    const letter = dead.find(({ headers }) => headers['ce-id'] === `n${n}`)
    expect(JSON.parse(letter!.payload.toString())).toEqual({ key, name: `reject ${key}` })
    expect(decodeURIComponent(letter!.headers['ce-partitionkey']!)).toBe(key)
    expect(decodeURIComponent(letter!.headers['malha-dlq-reason']!)).toContain(key)
    expect(letter!.headers['ce-type']).toBe(written.type)
    subjects.add(letter!.headers['malha-dlq-subject']!)
  }
  // No two keys share a subject, and none reaches beyond its own.
  expect(subjects.size).toBe(KEYS.length)
  for (const subject of subjects) expect(subject.split('.').slice(1, 3)).toEqual(['note', 'written'])

  expect(await archive.audit()).toMatchObject({ clean: true })
  for (const key of KEYS) {
    const found = await archive.events('NOTES', { key })
    expect(found.map(({ payload }) => (JSON.parse(payload!) as Note).name)).toEqual([`reject ${key}`, key])
    expect(await archive.events('DEAD_LETTERS', { key })).toHaveLength(1)
  }
})

test('a key that is none is refused at publish with what to do, and nothing is stored', async () => {
  await using t = await testMesh()
  await reading(t)
  const refusals = { '': /is empty/, ['é'.repeat(65)]: /has 130 bytes; 128 at most/, '\uD800': /well-formed/ }
  for (const [key, why] of Object.entries(refusals)) {
    const error = await t.mesh.publish(written, { key, name: 'n' }).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(MeshError)
    expect(error).toMatchObject({ code: 'MESH_INVALID_KEY', message: expect.stringMatching(why) })
  }
  expect(await kept(t, 'NOTES')).toEqual([])
})

test('a name of most of a megabyte travels whole; one beyond the server’s limit is refused by its size', async () => {
  await using t = await testMesh()
  await using archive = await testArchive(t)
  const seen = await reading(t)
  // Three bytes a character in UTF-8.
  const name = `reject ${'界'.repeat(300_000)}`
  await t.mesh.publish(written, { key: 'large', name }, { id: 'large' })
  const [letter] = await letters(t, 1)
  expect(seen.get('large')?.name === name).toBe(true)
  expect((JSON.parse(letter!.payload.toString()) as Note).name === name).toBe(true)
  const beyond = { key: 'beyond', name: 'x'.repeat(1024 ** 2) }
  await expect(t.mesh.publish(written, beyond)).rejects.toMatchObject({
    code: 'MESH_PAYLOAD_TOO_LARGE',
    message: expect.stringMatching(/note\.written has 1048\d+ bytes.* is the most here; store the bulk elsewhere/),
  })
  expect((await t.mesh.publish(written, { key: 'next', name: 'next' })).seq).toBe(2)
  expect(await archive.audit()).toMatchObject({ clean: true })
  const [archived] = await archive.events('NOTES')
  expect((JSON.parse(archived!.payload!) as Note).name === name).toBe(true)
})
