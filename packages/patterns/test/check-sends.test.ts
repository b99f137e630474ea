import { command, stream } from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { checkSends } from '../src/saga/check-sends.ts'

const trips = stream('TRIPS', { subjects: ['trip.>'] })
const schema = z.object({ seat: z.object({ id: z.string() }).optional() })
const reserve = command('trip.reserve', { stream: trips, schema, key: ({ seat }) => seat!.id })

test('what has no key, or one that cannot be, is refused as a step’s fault: to try again would not help', async () => {
  const check = (data: unknown) => checkSends('saga trip t-1', [{ type: reserve.type, data }], () => reserve)
  await expect(check({ seat: { id: 'a' } })).resolves.toBeUndefined()
  for (const data of [{}, { seat: { id: '' } }])
    await expect(check(data)).rejects.toThrow(/PATTERNS_INVALID_STEP: saga trip t-1 sends trip.reserve under a key/)
  await expect(check({ seat: 7 })).rejects.toThrow(/PATTERNS_INVALID_STEP.*does not fit its schema:\n {2}- seat/)
})
