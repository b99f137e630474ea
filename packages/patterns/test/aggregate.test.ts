import { command, event, stream } from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { aggregate, commonPattern, subjectsOf } from '../src/aggregate/aggregate.ts'

const tills = stream('TILLS', { subjects: ['till.>', 'shop.>'] })
const other = stream('OTHER', { subjects: ['other.>'] })
const schema = z.object({ id: z.string() })
const key = (data: { id: string }): string => data.id
const opened = event('till.opened', { stream: tills, schema, key })
const closed = event('till.closed', { stream: tills, schema, key })

const functions = { initial: () => 0, decide: () => [], evolve: (state: number) => state }

test('what types have in common is where all of an aggregate stands', () => {
  expect(commonPattern(['till.opened', 'till.closed'])).toBe('till.*')
  expect(commonPattern(['till.opened'])).toBe('till.opened')
  expect(commonPattern(['till.cash.in', 'till.card.in'])).toBe('till.*.in')
  expect(commonPattern(['till.opened', 'till.cash.in'])).toBeUndefined()
  expect(commonPattern(['till.opened', 'shop.opened'])).toBeUndefined()
  const def = aggregate('till', { events: { opened, closed }, ...functions })
  expect(subjectsOf(def, 'c-1')).toBe('till.*.4.c-1')
  expect(subjectsOf(def, 'a.b')).toBe('till.*.2.=YS5i')
})

test('a definition is refused with all its faults', () => {
  const events = {
    opened,
    unkeyed: event('till.unkeyed', { stream: tills, schema }),
    asked: command('till.ask', { stream: tills, schema, key }),
    elsewhere: event('other.opened', { stream: other, schema, key }),
  }
  expect(() => aggregate('Till', { events, ...functions, version: 0 })).toThrow(
    /"Till": 6 faults[^]*its name[^]*version is 0[^]*2 streams[^]*first token[^]*till.unkeyed has no key[^]*till.ask is a command/,
  )
  expect(() => aggregate('till', { events: {}, ...functions })).toThrow(/1 fault\n {2}- it has no events/)
})
