import { expect, test } from 'vitest'
import { z } from 'zod'
import { partnerTimeoutMs, partnerUrl, readAll, readEnv } from '../src/index.ts'

const Settings = z.object({ ACME_URL: partnerUrl, ACME_TIMEOUT_MS: partnerTimeoutMs })

test('an empty variable counts as unset', () => {
  const url = 'http://127.0.0.1:9'
  expect(readEnv(Settings, { ACME_URL: url, ACME_TIMEOUT_MS: '', OTHER: 'x' })).toEqual({
    ACME_URL: url,
    ACME_TIMEOUT_MS: 10_000,
  })
})

test('all faults are told at once, by variable, and no value is repeated', () => {
  const message = messageOf(() =>
    readEnv(Settings, { ACME_URL: 'http://me:s3cret@acme.example/?q', ACME_TIMEOUT_MS: '1e9' }),
  )
  expect(message.split('\n')).toEqual([
    expect.stringMatching(/^ACME_URL .*password/),
    expect.stringMatching(/^ACME_URL .*query/),
    expect.stringMatching(/^ACME_TIMEOUT_MS takes/),
  ])
  expect(message).not.toContain('s3cret')
})

test.for(['acme.example', 'ftp://acme.example', '', undefined])('%j is no address of a partner', (url) => {
  expect(() => readEnv(Settings, { ACME_URL: url })).toThrow('ACME_URL is')
})

test('readers that fail are all heard', () => {
  const fail = (message: string) => (): never => {
    throw new Error(message)
  }
  expect(messageOf(() => readAll({ a: fail('one'), b: () => 2, c: fail('three') }))).toBe('one\nthree')
  expect(readAll({ a: () => 1, b: () => 'two' })).toEqual({ a: 1, b: 'two' })
})

function messageOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('it did not throw')
}
