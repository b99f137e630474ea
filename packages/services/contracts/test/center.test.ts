import { expect, test } from 'vitest'
import { z } from 'zod'
import { Center, CenterId, PartnerId } from '../src/center.ts'

const center = { name: 'Recife', city: { name: 'Recife', state: 'Pernambuco', country: 'BR', geonameId: 3_390_760 } }

function faultsOf(value: unknown): string[] {
  const result = Center.safeParse(value)
  return result.success ? [] : result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
}

test.each([
  ['a plain name', 'Recife'],
  ['emoji, joined ones too', '🏭 Galpão 👩‍🔧👨‍👩‍👧‍👦'],
  ['right-to-left text with its marks', '\u200Fمركز التوزيع‏ في حيفا'],
  ['combining characters', 'São Paulo'.normalize('NFD')],
  ['200 characters outside the basic plane', '🏭'.repeat(200)],
])('a name may be %s, and is kept as it was written', (_what, name) => {
  expect(Center.parse({ ...center, name }).name).toBe(name)
})

test.each([
  ['a megabyte', 'x'.repeat(1024 ** 2), /at most 200/],
  ['201 emoji', '🏭'.repeat(201), /at most 200/],
  ['empty', '', /empty or blank/],
  ['only spaces', ' \u00A0\u3000 ', /empty or blank/],
  ['with a line break', 'a\r\nX-Header: b', /control/],
  ['with a NUL', 'a\0b', /control/],
  ['with a C1 control', 'a\u0085b', /control/],
  ['half of a surrogate pair', 'a\uD83C', /well-formed/],
])('a name that is %s is refused', (_what, name, message) => {
  expect(faultsOf({ ...center, name })).toStrictEqual([expect.stringMatching(message)])
})

test('all faults are found at once, unknown fields in any depth among them', () => {
  const faults = faultsOf({ name: 7, city: { name: '', state: 'PE', zip: '1' }, capacity: -1, colour: 'red' })
  expect(faults).toHaveLength(6)
  expect(faults.join('\n')).toMatch(/name.*city\.name.*city\.country.*zip.*capacity.*colour/s)
})

test.each(['', 'a.b', 'a b', '*', '>', 'ü', 'x'.repeat(65)])('%j is no id of a centre', (id) => {
  expect(CenterId.safeParse(id).success).toBe(false)
})

test('JSON Schema tells the limits of a text', () => {
  expect(z.toJSONSchema(PartnerId)).toMatchObject({ type: 'string', minLength: 1, maxLength: 200 })
})
