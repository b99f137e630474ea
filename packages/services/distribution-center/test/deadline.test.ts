import { setTimeout as sleep } from 'node:timers/promises'
import { NoRespondersError } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { Problem } from '../src/http/problem.ts'
import { readInTime } from '../src/mesh/deadline.ts'

test.concurrent('a read waits while a leader hands over, or a connection moves', async () => {
  const until = performance.now() + 1200
  const refused = async (): Promise<string> => {
    if (performance.now() < until) throw new NoRespondersError('x')
    return 'read'
  }
  const answers = [sleep(1200, 'late'), readInTime('It', refused), readInTime('It', () => sleep(1200, 'read'))]
  expect(await Promise.all(answers)).toEqual(['late', 'read', 'read'])
})

test.concurrent('what nobody answers is asked ever less often, and given up', async () => {
  let asked = 0
  const error = await readInTime('It', () => {
    asked++
    return new Promise(() => undefined)
  }).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(Problem)
  expect(asked).toBeGreaterThan(1)
  expect(asked).toBeLessThan(6)
})
