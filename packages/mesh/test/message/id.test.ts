import { derivedId } from '@malha/mesh'
import { expect, test } from 'vitest'
import { checkId, newId } from '../../src/message/id.ts'

const parts = { from: 'm1', service: 'provider', handler: 'senninha', type: 'provider.created', key: 'c1', index: 0 }

test('the same parts give the same id, in the shape of a UUID of version 8', () => {
  expect(derivedId(parts)).toBe(derivedId({ ...parts }))
  expect(derivedId(parts)).toMatch(/^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
})

// Part of the wire: a change would publish twice what older releases published.
test('the id of given parts never changes', () => {
  expect(derivedId(parts)).toBe('16e82b28-2d44-8a43-b9c7-3ac8a1f9b205')
})

test.each(Object.entries({ from: 'm2', service: 'other', handler: 'maas', type: 'x.y', key: 'c2', index: 1 }))(
  'another %s gives another id',
  (part, value) => expect(derivedId({ ...parts, [part]: value })).not.toBe(derivedId(parts)),
)

test('parts cannot flow into one another', () => {
  expect(derivedId({ ...parts, service: 'a', handler: 'bc' })).not.toBe(
    derivedId({ ...parts, service: 'ab', handler: 'c' }),
  )
  expect(derivedId({ ...parts, key: undefined })).not.toBe(derivedId({ ...parts, key: 'null' }))
})

test.each(['', 'a b', 'a\r\nb', '-a', 'x'.repeat(129), 'é'])('id %j is refused', (id) => {
  expect(() => checkId(id)).toThrow('MESH_INVALID_HEADER')
})

test('new ids are random UUIDs of version 4, no two alike', () => {
  const ids = Array.from({ length: 2000 }, () => newId())
  for (const id of ids) expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
  expect(new Set(ids).size).toBe(ids.length)
  // All but the dashes and the version take every value they may.
  const places = Array.from(ids[0]!, (_, place) => new Set(ids.map((id) => id[place])).size)
  const expected = Array.from('xxxxxxxx-xxxx-1xxx-4xxx-xxxxxxxxxxxx', (kind) => ({ x: 16, '4': 4 })[kind] ?? 1)
  expect(places).toEqual(expected)
})
