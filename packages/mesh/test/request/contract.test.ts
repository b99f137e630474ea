import { Busy, defineService, names, reply, request, stream } from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { classify } from '../../src/failure/classify.ts'
import { MeshError } from '../../src/errors.ts'
import { declared } from '../../src/topology/declared.ts'

const schema = z.object({ id: z.string() })
const ask = request('job.ask', { schema, reply: schema })

test('a request contract names every fault at once', () => {
  const declare = (): unknown =>
    request('Job', {
      schema: {} as never,
      reply: undefined as never,
      errors: { 'Not Found': schema, odd: {} as never },
      version: 2,
      streaming: true,
      idempotent: true,
    })
  for (const fault of [
    'MESH_INVALID_CONTRACT',
    'the type takes two or more tokens',
    'version 2 needs upcast',
    'a streaming request cannot be idempotent',
    'schema must be a Standard Schema',
    'reply must be a Standard Schema',
    'error "Not Found": its code takes tokens',
    'error "odd": its schema must be a Standard Schema',
  ])
    expect(declare).toThrow(fault)
})

test('an error code of a contract can never be taken for one of the mesh', () => {
  expect(() => request('job.ask', { schema, reply: schema, errors: { MESH_BUSY: schema } })).toThrow('its code takes')
})

test('a service names every fault of its replies', () => {
  const define = (): unknown =>
    defineService('jobs', {
      handlers: {},
      replies: {
        'a.b': reply(ask, { concurrency: 0, waiting: -1, timeoutMs: 1e9 }, (data) => data),
        other: reply(ask, (data) => data),
      },
    })
  for (const fault of [
    'reply "a.b": its name takes',
    'reply "a.b": concurrency is 0',
    'reply "a.b": waiting is -1',
    'reply "a.b": timeoutMs is 1000000000',
    'request job.ask has 2 replies (a.b, other); it has one',
  ])
    expect(define).toThrow(fault)
})

test('no stream of contracts may hold requests', () => {
  const greedy = stream('GREEDY', { subjects: ['request.>'] })
  expect(declared(names(''), { streams: [greedy] }).faults).toEqual([
    expect.stringContaining('subject request.> is the mesh’s own') as string,
  ])
})

test('in a handler, what the other side failed at counts and runs out; a busy one is waited for', () => {
  for (const code of ['MESH_NO_RESPONDER', 'MESH_REQUEST_TIMEOUT', 'MESH_REQUEST_FAILED', 'MESH_REPLY_BROKEN'] as const)
    expect(classify(new MeshError(code, 'x'))).toMatchObject({ action: 'retry', counts: true, isPatient: false })
  expect(classify(new Busy(700, 'x'))).toMatchObject({ action: 'retry', counts: false, delayMs: 700 })
  expect(classify(new MeshError('MESH_REPLY_TOO_LARGE', 'x'))).toMatchObject({ action: 'dead-letter' })
})
