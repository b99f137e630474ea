import { expect, test } from 'vitest'
import { redactor } from '../src/redact.ts'

const env = {
  NATS_PASSWORD: 'hunter2-nats',
  NATS_TOKEN: 'tok"en\\1',
  CLICKHOUSE_URL: 'http://archive:p%40ssw0rd@ch:8123',
  NATS_URL: 'nats://bareT0ken@broker:4222,nats://u:second-pass@broker2:4222',
  LOG_LEVEL: 'info',
  EMPTY_SECRET: '',
}
const redact = redactor(env)

test.each([
  ['a password field at any depth', { a: { b: [{ password: 'x1' }] } }, 'x1'],
  ['a token that is a number', { token: 12345678 }, '12345678'],
  ['an authorization header', { headers: { Authorization: 'Basic dXNlcjpwYXNz' } }, 'dXNlcjpwYXNz'],
  ['a bearer token inside a sentence', { msg: 'sent Bearer abc.def-ghi' }, 'abc.def-ghi'],
  ['the user part of a URL', { url: 'nats://me:s3cret@host:4222' }, 's3cret'],
  ['a NATS seed', { why: `bad seed SU${'A'.repeat(56)}` }, `SU${'A'.repeat(56)}`],
  ['a JSON Web Token', { why: 'eyJhbGciOiJI.eyJqdGkiOiJ.c2lnbmF0dXJl' }, 'eyJqdGkiOiJ'],
  ['JSON inside a string', { body: JSON.stringify({ secret: 'inner "quoted" one' }) }, 'inner'],
  ['the value of NATS_PASSWORD wherever it stands', { why: 'user hunter2-nats refused' }, 'hunter2-nats'],
  ['a value JSON has to escape', { why: 'got tok"en\\1 from the environment' }, String.raw`tok\"en\\1`],
  ['the password of a URL as it is and decoded', { a: 'p%40ssw0rd', b: 'p@ssw0rd' }, 'ssw0rd'],
  ['a token that is the whole user part', { why: 'bareT0ken was refused' }, 'bareT0ken'],
])('%s is masked', (_case, fields, secret) => {
  const line = redact(JSON.stringify(fields))
  expect(line).not.toContain(secret)
  expect(line).toContain('[redacted]')
})

test('a masked line is still JSON and what is no secret stays', () => {
  const fields = { token: 'a"b\\', list: [{ seed: 1.5 }], msg: 'center c-1 in nats://broker:4222', tokens: 7, pid: 1 }
  expect(JSON.parse(redact(JSON.stringify(fields)))).toEqual({
    token: '[redacted]',
    list: [{ seed: '[redacted]' }],
    msg: 'center c-1 in nats://broker:4222',
    tokens: 7,
    pid: 1,
  })
})

test('an empty or very short secret does not turn every line into masks', () => {
  expect(redactor({ A_TOKEN: '', B_TOKEN: 'a' })('{"msg":"a banana"}')).toBe('{"msg":"a banana"}')
})

test('a secret that looks like JSON does not break the line', () => {
  const numeric = redactor({ A_PASSWORD: '123456', B_TOKEN: 'true' })
  const line = numeric(JSON.stringify({ ok: true, seq: 123456, msg: 'user u with 123456 refused', list: [123456] }))
  expect(JSON.parse(line)).toEqual({ ok: true, seq: 123456, msg: 'user u with [redacted] refused', list: [123456] })
})
