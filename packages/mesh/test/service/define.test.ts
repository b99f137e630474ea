import { command, days, defineService, event, on, retry, stream, untilBack } from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'

const jobs = stream('JOBS', { subjects: ['job.>', 'run.>'], maxAgeMs: days(2) })
const schema = z.object({ id: z.string() })
const run = command('job.run', { stream: jobs, schema })
const ran = event('job.ran', { stream: jobs, schema })
const brief = { retry: retry({ attempts: 3 }) }

test('a service names every fault of every handler at once', () => {
  const define = (): unknown =>
    defineService('My Service', {
      handlers: {
        'a.b': on(ran, { ...brief, concurrency: 0, timeoutMs: 0, ackWaitMs: 1 }, () => {}),
        early: on(ran, { ...brief, startFrom: new Date(Date.now() + 60_000) }, () => {}),
        never: on(ran, { ...brief, startFrom: new Date('today') }, () => {}),
        patient: on(ran, { retry: untilBack }, () => {}),
        endless: on(ran, { ...brief, timeoutMs: Infinity, ackWaitMs: 2 ** 31 }, () => {}),
        one: on(run, brief, () => {}),
        two: on(run, brief, () => {}),
      },
    })
  for (const fault of [
    'its name takes',
    'handler "a.b": its name takes',
    'concurrency is 0',
    'timeoutMs is 0',
    'ackWaitMs is 1',
    'timeoutMs is Infinity; 1 to 2147483647',
    'ackWaitMs is 2147483648',
    'handler "early": startFrom is 2',
    'handler "never": startFrom is no valid date',
    'forgets after',
    'command job.run has 2 handlers (one, two)',
  ])
    expect(define).toThrow(fault)
})

test('two handlers of one event are two subscriptions', () => {
  const service = defineService('audit', { handlers: { a: on(ran, brief, () => {}), b: on(ran, brief, () => {}) } })
  expect(Object.keys(service.handlers)).toEqual(['a', 'b'])
})
