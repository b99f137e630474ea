import { MeshError, Reject, responseError, RetryAfter } from '@malha/mesh'
import { expect, test } from 'vitest'
import { classify, isConnectionRefused } from '../../src/failure/classify.ts'

const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })

test('an error is retried and counts for the breaker', () => {
  expect(classify(new TypeError('x'))).toMatchObject({
    action: 'retry',
    code: 'TypeError',
    counts: true,
    isPatient: false,
  })
})

test('Reject is a dead letter and no sign of trouble on the other side', () => {
  expect(classify(new Reject('no such city'))).toMatchObject({
    action: 'dead-letter',
    code: 'MESH_REJECTED',
    counts: false,
  })
})

test('an error of a library on top says itself what becomes of the message, under its own code', () => {
  const own = (disposition: string): Error => Object.assign(new Error('x'), { code: 'PATTERNS_X', disposition })
  expect(classify(own('terminal'))).toMatchObject({ action: 'dead-letter', code: 'PATTERNS_X', counts: false })
  expect(classify(own('retry'))).toMatchObject({ action: 'retry', code: 'PATTERNS_X', counts: false, isPatient: true })
  expect(classify(own('attachment'))).toMatchObject({ action: 'retry', counts: true, isPatient: false })
})

test('RetryAfter waits as long as it says and counts as no failure', () => {
  expect(classify(new RetryAfter(1500))).toMatchObject({ action: 'retry', delayMs: 1500, counts: false })
})

test('what only time or a release can mend never runs out of attempts', () => {
  expect(classify(new MeshError('MESH_NEWER_VERSION', 'x'))).toMatchObject({ action: 'retry', isPatient: true })
  expect(classify(new MeshError('MESH_PUBLISH_TIMEOUT', 'x'))).toMatchObject({ action: 'retry', isPatient: true })
  expect(classify(new MeshError('MESH_HANDLER_TIMEOUT', 'x'))).toMatchObject({
    action: 'retry',
    isPatient: false,
    counts: true,
  })
})

test('the code and the words of the cause are kept: "fetch failed" alone says nothing', () => {
  const verdict = classify(new TypeError('fetch failed', { cause: refused }))
  expect(verdict).toMatchObject({ code: 'ECONNREFUSED', message: 'fetch failed: connect ECONNREFUSED' })
})

test('a refused connection is seen through causes and aggregates', () => {
  expect(isConnectionRefused(new TypeError('fetch failed', { cause: refused }))).toBe(true)
  expect(isConnectionRefused(new Error('x', { cause: new AggregateError([new Error('y'), refused]) }))).toBe(true)
  expect(isConnectionRefused(new Error('x'))).toBe(false)
})

test('something that is no Error is retried too', () => {
  expect(classify('boom')).toMatchObject({ action: 'retry', code: 'NotAnError' })
})

const now = Date.parse('2026-11-20T10:00:00Z')

test.each([
  [500, {}, 'ResponseError', 'HTTP_500'],
  [503, {}, 'ResponseError', 'HTTP_503'],
  [408, {}, 'ResponseError', 'HTTP_408'],
  [409, {}, 'ResponseError', 'HTTP_409'],
  [425, {}, 'ResponseError', 'HTTP_425'],
  [429, {}, 'ResponseError', 'HTTP_429'],
  [400, {}, 'Reject', 'MESH_REJECTED'],
  [404, {}, 'Reject', 'MESH_REJECTED'],
  [422, {}, 'Reject', 'MESH_REJECTED'],
  [503, { 'retry-after': '7' }, 'RetryAfter', 'MESH_RETRY_AFTER'],
  [429, { 'retry-after': 'Fri, 20 Nov 2026 10:00:30 GMT' }, 'RetryAfter', 'MESH_RETRY_AFTER'],
  [500, { 'retry-after': '7' }, 'ResponseError', 'HTTP_500'],
  [503, { 'retry-after': 'soon' }, 'ResponseError', 'HTTP_503'],
])('an answer of %i with %j becomes %s', (status, headers, name, code) => {
  expect(responseError({ status, headers }, now)).toMatchObject({ name, code })
})

test('Retry-After is seconds or a date', () => {
  expect(responseError({ status: 503, headers: { 'retry-after': '7' } }, now)).toMatchObject({ delayMs: 7000 })
  const date = new Headers({ 'Retry-After': 'Fri, 20 Nov 2026 10:00:30 GMT' })
  expect(responseError({ status: 503, headers: date }, now)).toMatchObject({ delayMs: 30_000 })
})

test('a query with secrets is not named in the error', () => {
  const error = responseError({ status: 500, headers: {}, url: 'https://partner.example/providers?token=s3cret' })
  expect(error.message).toBe('https://partner.example/providers answered 500')
})

test('an error whose message is no string is an error like any other', () => {
  const odd = Object.assign(new Error('x'), { message: null as unknown as string })
  expect(classify(odd)).toMatchObject({ action: 'retry', message: 'Error' })
  expect(classify(Object.assign(new Error('x'), { message: { a: 1 } as unknown as string }))).toMatchObject({
    action: 'retry',
  })
})

test('what no text can be made of is told all the same', () => {
  const bare: unknown = Object.create(null)
  expect(classify(bare)).toMatchObject({ action: 'retry', code: 'NotAnError' })
  expect(classify(Object.assign(new Error('x'), { message: bare as string }))).toMatchObject({ action: 'retry' })
})
