import type { AuditedAct } from '@malha/operations'
import { expect, test } from 'vitest'
import { drawActs } from '../../src/view/acts-view.ts'

const act: AuditedAct = {
  v: 1,
  act: 'a1',
  seq: 1,
  storedAt: '2026-11-22T10:15:00.123Z',
  at: '2026-11-22T10:15:00.100Z',
  who: 'ana',
  from: 'desk-7',
  action: 'letter.discard',
  target: 'dlq.shop_bill.ORDERS.1.2@3',
  before: { state: 'open' },
  after: { state: 'discarded' },
  reason: 'closed',
  outcome: 'done',
  fault: null,
}
const screen = { width: 200, colors: false }

test('an act is a row: when, who, what, what changed, how it ended and why', () => {
  const drawn = drawActs({ acts: [act], unreadable: 0, next: 7 }, screen)
  expect(drawn).toMatch(
    /2026-11-22 10:15:00 .* ana .* desk-7 .* letter.discard .* dlq.shop_bill.* state open → discarded .* done .* closed/,
  )
  expect(drawn).toContain('more: --after 7')
  expect(drawActs({ acts: [], unreadable: 2, next: undefined }, screen)).toBe(
    'No such acts.\n2 messages there that no act wrote',
  )
})

test('what others wrote cannot act on a terminal', () => {
  const esc = '\u001B[31m\u202E'
  const hostile = {
    ...act,
    who: esc,
    from: esc,
    target: esc,
    reason: esc,
    fault: esc,
    action: esc,
    after: { [esc]: esc },
  }
  const drawn = drawActs({ acts: [{ ...hostile, storedAt: esc }], unreadable: 0, next: undefined }, screen)
  expect(drawn).not.toContain('\u001B')
  expect(drawn).not.toContain('\u202E')
})
