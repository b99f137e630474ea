import { redactorOf } from '@malha/mesh'
import { expect, it } from 'vitest'
import { putBack } from '../../src/redaction/hidden-values.ts'

const text = { type: 'string' }
const redactor = redactorOf([
  {
    type: 'object',
    properties: {
      note: text,
      card: { ...text, sensitive: true },
      cards: { type: 'array', items: { ...text, sensitive: true } },
      byCard: { type: 'object', propertyNames: { sensitive: true }, additionalProperties: text },
    },
  },
])
const original = { note: 'n', card: 'c-1', cards: ['c-2', 'c-3'], byCard: { 'c-4': 'x' } }
const shown = redactor.redact(original).value as typeof original

it('notes are what they stood for, where they stood, in another order, and as names', () => {
  expect(putBack(redactor, shown, [original])).toEqual({ document: original, count: 4 })
  const [second, third] = shown.cards
  expect(putBack(redactor, { ...shown, cards: [third, second, 'c-9'] }, [original]).document).toEqual({
    ...original,
    cards: ['c-3', 'c-2', 'c-9'],
  })
  expect(putBack(redactor, { card: 'new' }, [original])).toEqual({ document: { card: 'new' }, count: 0 })
})

it.each<[string, object]>([
  ['a field that is shown', { note: shown.card }],
  ['a name that is shown', { [shown.card]: 'x' }],
  ['what is below a name that is hidden, but itself is shown', { byCard: { other: shown.card } }],
  ['what is below a name that was put back', { byCard: { '[redacted 4]': shown.card } }],
])('a note is refused in %s', (_, given) => {
  expect(() => putBack(redactor, given, [original])).toThrow(/OPERATIONS_EDIT_REFUSED: a hidden value is put where/)
})

it('a text of the payload that looks like a note is itself', () => {
  const own = { note: '[redacted]', card: 'c-1' }
  const seen = redactor.redact(own).value as typeof own
  expect(seen.card).toBe('[redacted 2]')
  expect(putBack(redactor, { ...seen, note: '[redacted]' }, [own]).document).toEqual(own)
})
