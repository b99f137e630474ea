import { command, days, defineService, event, MeshError, on, onBatch, retry, stream, untilBack } from '@malha/mesh'
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

test('what plain JavaScript says of dead letters without an order of keys, or misspells, is refused by name', () => {
  const keyed = event('job.ended', { stream: jobs, schema, key: ({ id }) => id })
  // As of whoever has no types to tell him.
  const say = (options: object): never => ({ ...brief, ...options }) as never
  const define = (): unknown =>
    defineService('plain', {
      handlers: {
        unordered: on(keyed, say({ onDeadLetter: 'hold-key' }), () => {}),
        skipping: on(keyed, say({ onDeadLetter: 'skip' }), () => {}),
        batched: onBatch(keyed, say({ size: 2, order: 'none', onDeadLetter: 'hold-key' }), () => {}),
        misspelt: on(keyed, say({ order: 'key', onDeadLetter: 'hold' }), () => {}),
        ordered: on(keyed, { ...brief, order: 'key', onDeadLetter: 'hold-key' }, () => {}),
      },
    })
  const error = thrownBy(define)
  expect(error).toMatchObject({ code: 'MESH_INVALID_SERVICE' })
  for (const fault of [
    `handler "unordered": onDeadLetter is "hold-key", and it keeps no order; give it order: 'key', or leave it out`,
    `handler "skipping": onDeadLetter is "skip", and it keeps no order`,
    `handler "batched": onDeadLetter is "hold-key", and it keeps no order`,
    `handler "misspelt": onDeadLetter is "hold"; 'hold-key' or 'skip'`,
  ])
    expect(error.message).toContain(fault)
  expect(error.message).not.toContain('"ordered"')
})

function thrownBy(act: () => unknown): Error {
  try {
    act()
  } catch (error) {
    if (error instanceof MeshError) return error
  }
  throw new Error('nothing was refused')
}
