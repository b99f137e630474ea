import { hash } from 'node:crypto'
import { expect, it } from 'vitest'
import { newToken, parseTokens } from '../src/access/token-file.ts'

it('a line holds no token, only what it is recognised by', () => {
  const { token, line } = newToken('on-call', 'operator')
  expect(line).not.toContain(token)
  expect(parseTokens(line)).toEqual([{ name: 'on-call', role: 'operator', sha256: hash('sha256', token, 'hex') }])
  expect(newToken('on-call', 'operator').token).not.toBe(token)
})

it('every fault of a token file is said at once, and no token is repeated', () => {
  const text = [
    '# team',
    '',
    'on-call boss 00',
    `b\u0000n viewer ${'a'.repeat(64)}`,
    'eva viewer malha_secret',
    'x viewer y z',
  ].join('\n')
  expect(() => parseTokens(text, 'tokens')).toThrow(
    /CONSOLE_TOKENS_UNREADABLE: tokens: line 3 .*line 4 .*line 5 .*line 6 /,
  )
  expect(() => parseTokens(text, 'tokens')).not.toThrow(/malha_secret/)
  expect(() => parseTokens('# nobody', 'tokens')).toThrow(/nobody could sign in/)
})
