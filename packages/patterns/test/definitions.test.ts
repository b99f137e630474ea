import { event, stream } from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { aggregate } from '../src/aggregate/aggregate.ts'
import { PatternsError } from '../src/errors.ts'
import { projection } from '../src/projection/projection.ts'
import { begins, saga } from '../src/saga/saga.ts'
import { parse } from '../src/store/records.ts'

const tills = stream('TILLS', { subjects: ['till.>'] })
const opened = event('till.opened', { stream: tills, schema: z.object({ id: z.string() }), key: ({ id }) => id })
const steps = { opened: begins(opened, () => ({ state: 1 })) }
const bare: unknown = Object.create(null)

/** What somebody without types may give; each was once an error of the language. */
const GIVEN: Record<string, () => unknown> = {
  'a saga without options': () => saga('order', undefined as never),
  'a saga with a step that is none': () => saga('order', { steps: { ...steps, other: null as never }, sends: [] }),
  'a saga that sends null': () => saga('order', { steps, sends: [null as never] }),
  'a saga named by an object': () => saga(bare as never, { steps, sends: [] }),
  'a saga with a bigint for a version': () => saga('order', { steps, sends: [], version: bare as never }),
  'an aggregate without options': () => aggregate('till', undefined as never),
  'an aggregate of undefined': () => aggregate('till', { events: { a: undefined } } as never),
  'a projection without options': () => projection('tills', undefined as never),
  'a projection named by a bigint': () => projection(1n as never, { version: 1, events: { opened }, project: () => 1 }),
}

test.each(Object.entries(GIVEN))('%s is refused with its faults', (_, give) => {
  expect(give).toThrow(PatternsError)
  expect(give).toThrow(/PATTERNS_INVALID_DEFINITION.*\d fault/)
})

test.each(['', 'null', '7', '[]', '{', '{}', '{"v":"1"}', '{"v":0}'])(
  'a record %j of somebody else is refused',
  (text) => {
    const read = (): unknown => parse(text, { what: 'saga order 7', format: 1 })
    expect(read).toThrow(/PATTERNS_UNREADABLE_RECORD: saga order 7/)
  },
)

test('a record of a newer release waits for it', () => {
  expect(() => parse('{"v":2}', { what: 'saga order 7', format: 1 })).toThrow('PATTERNS_NEWER_FORMAT')
})
