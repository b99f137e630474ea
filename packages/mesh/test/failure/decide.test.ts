import { Reject, retry, RetryAfter, untilBack } from '@malha/mesh'
import { MeshError } from '@malha/mesh'
import { expect, test } from 'vitest'
import { decide } from '../../src/failure/decide.ts'

const policy = retry({ attempts: 3, minDelayMs: 100, maxDelayMs: 1000 })
const options = { policy, isProbe: false, now: 1_000_000, random: () => 0 }
const fresh = { attempts: 1, failures: 0, failingSince: undefined }

test('a failure is counted and retried, later each time', () => {
  expect(decide(new Error('x'), fresh, options)).toMatchObject({
    kind: 'retry',
    delayMs: 100,
    failures: 1,
    failingSince: 1_000_000,
  })
  expect(decide(new Error('x'), { attempts: 1 + 1, failures: 1, failingSince: 999_000 }, options)).toMatchObject({
    delayMs: 200,
    failures: 2,
    failingSince: 999_000,
  })
})

test('the last allowed attempt is the last', () => {
  const last = decide(new Error('boom'), { attempts: 2 + 1, failures: 2, failingSince: 1 }, options)
  expect(last).toMatchObject({
    kind: 'bury',
    code: 'MESH_RETRIES_EXHAUSTED',
    message: '3 attempts failed, the last with Error: boom',
  })
})

test('so is the one after forMs', () => {
  const brief = { ...options, policy: { ...untilBack, forMs: 5000 } }
  expect(decide(new Error('x'), { attempts: 1 + 1, failures: 1, failingSince: 995_001 }, brief).kind).toBe('retry')
  expect(decide(new Error('x'), { attempts: 1 + 1, failures: 1, failingSince: 995_000 }, brief).kind).toBe('bury')
})

test('a probe exhausts nothing', () => {
  expect(
    decide(new Error('x'), { attempts: 9 + 1, failures: 9, failingSince: 1 }, { ...options, isProbe: true }).kind,
  ).toBe('retry')
})

test('RetryAfter pauses the handler and is not counted', () => {
  expect(decide(new RetryAfter(7000), { attempts: 2 + 1, failures: 2, failingSince: 1 }, options)).toMatchObject({
    kind: 'retry',
    delayMs: 7000,
    pausesHandler: true,
    failures: 2,
  })
})

test('a partner that says "at once" again and again is not called in a loop', () => {
  const delays = [1, 2, 5, 50].map((attempts) => {
    const decision = decide(new RetryAfter(0), { ...fresh, attempts }, options)
    return decision.kind === 'retry' ? decision.delayMs : undefined
  })
  expect(delays).toEqual([100, 200, 1000, 1000])
})

test('Reject is buried at once', () => {
  expect(decide(new Reject('no such city'), fresh, options)).toMatchObject({
    kind: 'bury',
    code: 'MESH_REJECTED',
    failures: 0,
  })
})

test('an unknown newer version outlasts any count of attempts', () => {
  const newer = new MeshError('MESH_NEWER_VERSION', 'x')
  expect(decide(newer, { attempts: 50 + 1, failures: 50, failingSince: 999_000 }, options)).toMatchObject({
    kind: 'retry',
    delayMs: 60_000,
  })
})
