import { command, type Contract, days, event, stream } from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { isExactlyOnce } from '../src/saga/exactly-once.ts'
import { begins, saga, type SagaDef } from '../src/saga/saga.ts'

const Ref = z.object({ id: z.string() })
type Ref = z.infer<typeof Ref>
const of = (name: string, maxAgeMs: number) => stream(name, { subjects: [`${name.toLowerCase()}.>`], maxAgeMs })
const ask = (name: string, maxAgeMs = days(30)): Contract<Ref> =>
  command(`${name.toLowerCase()}.ask`, { stream: of(name, maxAgeMs), schema: Ref, key: ({ id }: Ref) => id })
const begun: Contract<Ref> = event('in.begun', { stream: of('IN', days(30)), schema: Ref, key: ({ id }: Ref) => id })
const sending = (...sends: Contract<Ref>[]): SagaDef<object> =>
  saga<object>('s', { sends, steps: { begun: begins(begun, () => ({ state: {} })) } })

test('what a saga sends is stored once where one stream holds it all, for as long as its events are kept', () => {
  expect(isExactlyOnce(sending(ask('ONE')), undefined)).toBe(true)
  expect(isExactlyOnce(sending(), undefined)).toBe(true)
  expect(isExactlyOnce(sending(ask('ONE')), false)).toBe(false)
  expect(isExactlyOnce(sending(ask('ONE'), ask('TWO')), undefined)).toBe(false)
  expect(isExactlyOnce(sending(ask('ONE', days(1))), undefined)).toBe(false)
})

test('asked for where it cannot be, it is refused', () => {
  expect(() => isExactlyOnce(sending(ask('ONE'), ask('TWO')), true)).toThrow(
    /PATTERNS_INVALID_DEFINITION.*exactlyOnce: 1 fault[^]*2 streams \(ONE, TWO\)/,
  )
  expect(() => isExactlyOnce(sending(ask('ONE', days(1))), true)).toThrow(
    'stream ONE keeps what it holds for 86400000 ms',
  )
})
