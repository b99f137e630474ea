import type { StandardSchemaV1 } from '@standard-schema/spec'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { MeshError } from '../../src/errors.ts'
import { event } from '../../src/message/contract.ts'
import { json } from '../../src/message/codec.ts'
import { readPayload, validate } from '../../src/message/validate.ts'
import { stream } from '../../src/topology/stream.ts'

const SECRET = '4111-1111-1111-1111'

const Payment = z.object({
  id: z.string(),
  card: z.object({ number: z.string().meta({ sensitive: true }), holder: z.string() }),
})

/** As of a library that repeats what it was given. */
const repeating: StandardSchemaV1 = {
  '~standard': {
    ...Payment['~standard'],
    validate: (value) => ({
      issues: [
        { message: `must be a string (was ${JSON.stringify(value)})` },
        { message: `must be a number (was "${SECRET}")`, path: ['card', 'number'] },
        { message: `must not be ${SECRET}`, path: ['id'] },
        { message: 'must be longer', path: ['card', 'holder'] },
        { message: 'is not known', path: [SECRET] },
      ],
    }),
  },
}

it('what is wrong with a payload is said without what is sensitive in it, whatever the schema library says', () => {
  const data = { id: 'p-1', card: { number: SECRET, holder: 'A' }, [SECRET]: 1 }
  let said: unknown
  try {
    validate({ type: 'payment.taken', schema: repeating }, data, 'MESH_SCHEMA_MISMATCH')
  } catch (error) {
    said = error
  }
  expect(said).toBeInstanceOf(MeshError)
  const { message } = said as MeshError
  expect(message).not.toContain(SECRET)
  expect(message).toContain('card.holder: must be longer')
  expect(message).toContain('card.number: is not as it should be (why is not said: it is sensitive)')
})

it('a contract that marks nothing has its faults as its library says them', () => {
  const schema = z.object({ a: z.string() })
  expect(() => validate({ type: 't', schema }, { a: 1 }, 'MESH_SCHEMA_MISMATCH')).toThrow(
    /a: Invalid input: expected string, received number/,
  )
})

it('a payload that is no JSON is said to be none without a piece of it, in its causes too', () => {
  const contract = event('payment.taken', { stream: stream('PAYMENTS', { subjects: ['payment.>'] }), schema: Payment })
  const envelope = { type: 'payment.taken', version: 1, contentType: json.contentType } as never
  let said: unknown
  try {
    readPayload(contract, envelope, Buffer.from(`{"number":x${SECRET}}`))
  } catch (error) {
    said = error
  }
  const { message, cause, stack } = said as MeshError
  expect([message, String(cause), stack].join()).not.toContain('4111')
  expect(message).toMatch(/MESH_UNDECODABLE: .* is no valid application\/json/)
})
