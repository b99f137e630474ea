import { event, prepareEvent, stream } from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'

const jobs = stream('JOBS', { subjects: ['job.>'] })
const made = event('job.made', { stream: jobs, schema: z.object({ id: z.string() }) })

test('a prepared payload has memory of its own, with nothing else in it', async () => {
  const { payload } = await prepareEvent(made, { id: '1' }, { from: 'me' })
  expect(new TextDecoder().decode(new Uint8Array(payload.buffer))).toBe('{"id":"1"}')
  expect(structuredClone(payload)).toEqual(payload)
})
