import type { ArchiveAudit, StreamAudit } from '@malha/archive'
import type { ShownEvent } from '@malha/operations'
import { expect, test } from 'vitest'
import { drawAudit, drawEvents, drawRows } from '../../src/view/archive-view.ts'

const none = { count: 0, seqs: [] }
const stream: StreamAudit = {
  stream: 'CENTERS',
  epoch: 1_790_000_000,
  current: true,
  range: { first: 1, last: 600 },
  compared: 600,
  archived: 600,
  missing: none,
  deleted: 0,
  duplicates: none,
  conflicts: none,
  ahead: 0,
  deadLetters: 0,
  lost: 0,
  gaps: [],
  lag: 0,
  clean: true,
}
const totals = { ...stream, missing: 0, duplicates: 0, conflicts: 0 }
const auditOf = (over: Partial<StreamAudit>): ArchiveAudit => {
  const each = { ...stream, ...over }
  return { clean: each.clean, startedAt: '2026-11-21T10:00:00.000Z', durationMs: 120, streams: [each], totals }
}

test('a clean audit says so with what was compared', () => {
  expect(drawAudit(auditOf({}), false)).toMatch(
    /Clean: every event of 1 stream is archived once\. 600 messages compared in 120 ms$/,
  )
})

test('what is missing is named by its sequences', () => {
  const text = drawAudit(
    auditOf({ clean: false, missing: { count: 12, seqs: [3, 4, 5, 6, 7, 8, 9, 10, 11, 12] } }),
    false,
  )
  expect(text).toContain('CENTERS: missing 12 (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, …)')
  expect(text).toContain('Not clean.')
})

const event = {
  stream: 'CENTERS',
  seq: 7,
  type: 'center.registered',
  id: 'a1',
  publishedAt: '2026-11-21T10:00:00.123456789Z',
  payload: JSON.stringify({ centerId: 'x'.repeat(500) }),
  payloadBase64: '',
  hidden: 0,
  withheld: null,
} as ShownEvent

test('events fit the terminal: a long payload is cut, one that is no text is counted', () => {
  for (const line of drawEvents([event], 120).split('\n')) expect(Array.from(line).length).toBeLessThanOrEqual(120)
  expect(drawEvents([{ ...event, payload: undefined, payloadBase64: 'AAEC' }], 120)).toContain('(3 bytes)')
  expect(drawEvents([], 120)).toBe('No such events.')
})

test('rows of an own query have its columns, whatever is in them', () => {
  const text = drawRows([{ type: 'a', n: '3', headers: { k: ['v'] }, nothing: null }])
  for (const part of ['type', 'headers', '{"k":["v"]}', 'null']) expect(text).toContain(part)
  expect(drawRows([])).toBe('No rows.')
})
