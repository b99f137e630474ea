import { NoRespondersError, RequestError, TimeoutError } from '@nats-io/transport-node'
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

test('what nobody listens for yet on a stream is asked again, an API that is not there is not', async () => {
  let asked = 0
  const refusing = (subject: string) => () => {
    asked += 1
    return asked < 3
      ? Promise.reject(new RequestError('no responders', { cause: new NoRespondersError(subject) }))
      : Promise.resolve('yes')
  }
  for (const subject of ['$JS.API.DIRECT.GET.KV_MESH_CHECKPOINTS.x', '$KV.MESH_CHECKPOINTS.x']) {
    expect(await askAgain(refusing(subject))).toBe('yes')
    asked = 0
  }
  await expect(askAgain(refusing('$JS.API.STREAM.LIST'))).rejects.toThrow('no responders')
  expect(asked).toBe(1)
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
