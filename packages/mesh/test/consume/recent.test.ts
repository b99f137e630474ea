import { expect, test } from 'vitest'
import { Recent } from '../../src/consume/recent.ts'

test('the last messages are remembered, at least as many as asked for and fewer than twice that', () => {
  const recent = new Recent(3)
  const seqs = Array.from({ length: 10 }, (_, n) => n + 1)
  const isKnown = (seq: number): boolean => recent.has(seq, 1000 + seq)
  for (const [n, seq] of seqs.entries()) {
    recent.add(seq, 1000 + seq)
    expect(seqs.slice(Math.max(0, n - 2), n + 1).every(isKnown)).toBe(true)
    expect(seqs.filter(isKnown).length).toBeLessThan(6)
  }
  recent.clear()
  expect(seqs.some(isKnown)).toBe(false)
})

test('an event that has the sequence of another one is not taken for it', () => {
  const recent = new Recent(3)
  recent.add(7, 1000)
  expect(recent.has(7, 2000)).toBe(false)
})
