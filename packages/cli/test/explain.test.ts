import { ClosedConnectionError, PermissionViolationError, TimeoutError } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { explain } from '../src/explain.ts'

test.for([
  [Object.assign(new Error('CODE: mend it'), { code: 'CODE' }), /^CODE: mend it$/],
  [new PermissionViolationError('no', 'publish', '$JS.API.INFO'), /^this user may not use \$JS\.API\.INFO; connect as/],
  [new TimeoutError(), /^NATS did not answer \(timeout\): is it up.*ask again$/],
  [
    new Error('the stream could not be read', { cause: new ClosedConnectionError() }),
    /^NATS did not answer \(the stream/,
  ],
  [new Error('what nobody thought of'), /what nobody thought of\n +at /],
  ['a text', /^a text$/],
] as const)('%s is told as what to do, and with its stack only if nobody knows', ([error, told]) => {
  expect(explain(error)).toMatch(told)
})
