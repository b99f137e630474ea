import { TimeoutError } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { askAgain } from '../../src/topology/ask-again.ts'

test('what nobody answers is asked again', async () => {
  let asked = 0
  const answer = await askAgain(async () => {
    asked += 1
    if (asked < 3) throw new TimeoutError()
    return await Promise.resolve('yes')
  })
  expect({ answer, asked }).toEqual({ answer: 'yes', asked: 3 })
})

test('what never is answered fails in the end, and a refusal at once', async () => {
  let asked = 0
  const unanswered = askAgain(() => {
    asked += 1
    return Promise.reject(new TimeoutError())
  }, 600)
  await expect(unanswered).rejects.toThrow(TimeoutError)
  expect(asked).toBeGreaterThan(1)

  asked = 0
  const refused = askAgain(() => {
    asked += 1
    return Promise.reject(new Error('no'))
  })
  await expect(refused).rejects.toThrow('no')
  expect(asked).toBe(1)
})
