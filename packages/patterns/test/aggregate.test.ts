import { command, event, stream } from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { aggregate, patternOf, subjectsOf } from '../src/aggregate/aggregate.ts'

const tills = stream('TILLS', { subjects: ['till.>', 'shop.>'] })
const other = stream('OTHER', { subjects: ['other.>'] })
const schema = z.object({ id: z.string() })
const key = (data: { id: string }): string => data.id
const opened = event('till.opened', { stream: tills, schema, key })
const closed = event('till.closed', { stream: tills, schema, key })

const functions = { initial: () => 0, decide: () => [], evolve: (state: number) => state }

test('where an aggregate stands is said by each of its types alone, so that releases with other types agree', () => {
  expect(patternOf('till.opened')).toBe('till.*')
  expect(patternOf('shop.till.opened')).toBe('shop.till.*')
  expect(patternOf('opened')).toBeUndefined()
  const older = aggregate('till', { events: { opened }, ...functions })
  const newer = aggregate('till', { events: { opened, closed }, ...functions })
  expect(subjectsOf(older, 'c-1')).toBe('till.*.4.c-1')
  expect(subjectsOf(newer, 'c-1')).toBe('till.*.4.c-1')
  expect(subjectsOf(newer, 'a.b')).toBe('till.*.2.=YS5i')
})

test('a definition is refused with all its faults', () => {
  const events = {
    opened,
    unkeyed: event('till.unkeyed', { stream: tills, schema }),
    asked: command('till.ask', { stream: tills, schema, key }),
    elsewhere: event('other.opened', { stream: other, schema, key }),
  }
  expect(() => aggregate('Till', { events, ...functions, version: 0 })).toThrow(
    /"Till": 6 faults[^]*its name[^]*version is 0[^]*2 streams[^]*last token[^]*till.unkeyed has no key[^]*till.ask is a command/,
  )
  const cash = event('till.cash.in', { stream: tills, schema, key })
  expect(() => aggregate('till', { events: { opened, cash }, ...functions })).toThrow(/1 fault[^]*last token/)
  expect(() => aggregate('till', { events: {}, ...functions })).toThrow(/1 fault\n {2}- it has no events/)
})
