import { TimeoutError } from '@nats-io/transport-node'
import { afterEach, expect, test, vi } from 'vitest'
import { LookFault } from '../../src/consume/look-fault.ts'

afterEach(() => vi.restoreAllMocks())

test('a consumer that nobody answers for is a reason not to be ready once no election takes so long', () => {
  const now = vi.spyOn(performance, 'now').mockReturnValue(0)
  const fault = new LookFault()
  expect(fault.set('no answer', new TimeoutError())).toBe(true)
  now.mockReturnValue(9000)
  expect(fault.set('no answer', new TimeoutError())).toBe(false)
  expect(fault.reason).toBeUndefined()
  now.mockReturnValue(15_000)
  expect(fault.reason).toBe('no answer')
  fault.clear()
  expect(fault.reason).toBeUndefined()
  fault.set('no answer', new TimeoutError())
  expect(fault.reason).toBeUndefined()
})

test('what a server says of it is a reason at once', () => {
  const fault = new LookFault()
  fault.set('no answer', new TimeoutError())
  fault.set('not allowed', new Error('permissions violation'))
  expect(fault.reason).toBe('not allowed')
})
