import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { follow } from '../../src/service/follow-signal.ts'

test('who follows a signal ends with it, however many do, and whoever stopped does not', () => {
  const stopping = new AbortController()
  const attempts = Array.from({ length: 1000 }, () => new AbortController())
  const ends = attempts.map((attempt) => follow(stopping.signal, attempt))
  ends[0]!()
  expect(getEventListeners(stopping.signal, 'abort')).toHaveLength(1)
  stopping.abort('it is told to stop')
  expect(attempts.map(({ signal }) => signal.aborted)).toEqual(attempts.map((_, index) => index > 0))
  const late = new AbortController()
  follow(stopping.signal, late)
  expect(late.signal.reason).toBe('it is told to stop')
})
