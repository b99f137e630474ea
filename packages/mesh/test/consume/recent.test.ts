import { expect, test } from 'vitest'
import { Recent } from '../../src/consume/recent.ts'

test('the last names are remembered, at least as many as asked for and fewer than twice that', () => {
  const recent = new Recent(3)
  const names = Array.from({ length: 10 }, (_, n) => `n${n}`)
  for (const [n, name] of names.entries()) {
    recent.add(name)
    expect(names.slice(Math.max(0, n - 2), n + 1).every((one) => recent.has(one))).toBe(true)
    expect(names.filter((one) => recent.has(one)).length).toBeLessThan(6)
  }
  recent.clear()
  expect(names.some((one) => recent.has(one))).toBe(false)
})
