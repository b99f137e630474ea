import { describe, expect, it } from 'vitest'
import { counted, type CountedLetter, isFull, type Ledger, settled } from '../../src/notify/ledger.ts'

const empty: Ledger = { v: 1, life: 'x', until: 0, owed: {} }
const letter = (seq: number, group = 'g'): CountedLetter => ({
  seq,
  group,
  service: 's',
  handler: 'h',
  code: 'C',
  groupReason: 'why',
  storedAt: `t${seq}`,
})

describe('what is owed', () => {
  it('is what was counted, without what was told, also when that is taken off twice', () => {
    const before = counted(empty, [letter(1), letter(2), letter(3, 'other')], 3)!
    const told = before.owed['g']!
    const after = counted(before, [letter(4), letter(5)], 5)!
    const once = settled(after, 'g', told)
    expect(once.owed['g']).toMatchObject({ letters: 2, first: 3, last: 5, firstAt: 't2', lastAt: 't5' })
    expect(settled(once, 'g', told)).toBe(once)
    expect(Object.keys(settled(before, 'g', told).owed)).toEqual(['other'])
    expect(settled(empty, 'g', told)).toBe(empty)
  })

  it('is no more groups than a record holds, and letters that there is no room for are not looked at', () => {
    const many = Array.from({ length: 250 }, (_, n) => letter(n + 1, `g${n}`))
    const full = counted(empty, many, 250)!
    expect([Object.keys(full.owed).length, full.until, isFull(full)]).toEqual([200, 200, true])
    expect(counted(full, [letter(201, 'new')], 201)).toBeUndefined()
    const rest = counted(settled(full, 'g0', full.owed['g0']!), many.slice(200), 250)!
    expect([Object.keys(rest.owed).length, rest.until]).toEqual([200, 201])
  })
})
