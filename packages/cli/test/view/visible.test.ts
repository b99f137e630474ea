import { expect, it } from 'vitest'
import { visible } from '../../src/view/visible.ts'

it.each([
  ['an escape', '\u001B[31mred\u001B[0m', String.raw`\u{1B}[31mred\u{1B}[0m`],
  ['a title of the window', '\u001B]0;mine\u0007', String.raw`\u{1B}]0;mine\u{7}`],
  ['a control of C1', 'a\u009B31m', String.raw`a\u{9B}31m`],
  ['writing from right to left', 'user\u202Etxt.exe', String.raw`user\u{202E}txt.exe`],
  [
    'an isolate, a joiner and nothing at all',
    '\u2066a\u200D\u200B\u2069',
    String.raw`\u{2066}a\u{200D}\u{200B}\u{2069}`,
  ],
  ['a line of its own', 'a\r\nb\u2028c', String.raw`a\u{D}\u{A}b\u{2028}c`],
  ['half of a pair', 'a\uD83D', 'a\uFFFD'],
])('%s is shown and does nothing', (_, text, shown) => {
  expect(visible(text)).toBe(shown)
})

it('letters of all scripts, signs and emoji stay', () => {
  const text = 'São Paulo 東京 مرحبا 😀 <b>'
  expect(visible(text)).toBe(text)
})

it('line ends stay where lines are wanted', () => {
  expect(visible('a\n\tb\r', { lines: true })).toBe('a\n\tb\\u{D}')
})
