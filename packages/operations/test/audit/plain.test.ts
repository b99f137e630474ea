import { describe, expect, it } from 'vitest'
import { shownState, shownText } from '../../src/audit/plain.ts'

describe('what an entry of the audit shows', () => {
  it('has no secret, whatever it is called and wherever it stands', () => {
    const state = {
      password: 'hunter2',
      nested: [{ apiKey: 'k', 'x-api-key': 'k', Authorization: 'Bearer abc', webhookUrl: 'https://hooks.test/T1' }],
      url: 'nats://ana:hunter2@broker:4222',
      key: 'o-1',
      limit: 3,
      nothing: undefined,
    }
    expect(shownState(state)).toEqual({
      password: '[hidden]',
      nested: [{ apiKey: '[hidden]', 'x-api-key': '[hidden]', Authorization: '[hidden]', webhookUrl: '[hidden]' }],
      url: 'nats://[hidden]@broker:4222',
      key: 'o-1',
      limit: 3,
    })
    expect(shownText('see https://ana:pw@wiki/page')).toBe('see https://[hidden]@wiki/page')
  })

  it('is short: what is long is cut, or named by its size and digest', () => {
    expect(shownText('x'.repeat(5000))).toBe(`${'x'.repeat(1000)}…`)
    const many = Array.from({ length: 1000 }, (_, n) => `letter ${n} of a long list`)
    expect(shownState({ many })).toEqual({ bytes: expect.any(Number), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) })
  })

  it('is text that can be stored: a broken surrogate is replaced', () => {
    expect(shownText('a\uD800b')).toBe('a\uFFFDb')
  })
})
