import { type Contract, event, stream } from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { coveringSubjects, projection } from '../src/projection/projection.ts'

const tills = stream('TILLS', { subjects: ['till.>', 'shop.>'] })
const other = stream('OTHER', { subjects: ['other.>'] })
const schema = z.object({ id: z.string() })
const key = (data: { id: string }): string => data.id
const keyed = (type: string) => ({ type, key })

test('one pattern covers all the subjects of a projection, as narrow as can be', () => {
  expect(coveringSubjects([keyed('till.opened'), keyed('till.closed')])).toBe('till.*.*.*')
  expect(coveringSubjects([keyed('till.opened')])).toBe('till.opened.*.*')
  expect(coveringSubjects([{ type: 'till.opened', key: undefined }])).toBe('till.opened')
  expect(coveringSubjects([keyed('till.opened'), keyed('till.cash.in')])).toBe('till.>')
  expect(coveringSubjects([keyed('till.opened'), { type: 'till.closed', key: undefined }])).toBe('till.>')
  expect(coveringSubjects([keyed('till.cash'), keyed('till.cash.in')])).toBe('till.>')
  expect(coveringSubjects([keyed('till.opened'), keyed('shop.opened')])).toBe('>')
})

test('a definition is refused with all its faults', () => {
  const opened: Contract<{ id: string }> = event('till.opened', { stream: tills, schema })
  const elsewhere: Contract<{ id: string }> = event('other.opened', { stream: other, schema, key })
  expect(() =>
    projection('Tills', { version: 0, events: { opened, elsewhere }, project: (view: number | undefined) => view }),
  ).toThrow(/"Tills": 4 faults[^]*its name[^]*version is 0[^]*2 streams[^]*till.opened has no key/)
})
