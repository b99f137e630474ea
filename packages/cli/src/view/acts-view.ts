import type { AuditList, Plain } from '@malha/operations'
import Table from 'cli-table3'
import { createColors } from 'picocolors'
import type { Screen } from './print.ts'
import { tableStyle } from './table-style.ts'
import { fit, plural } from './text.ts'
import { inOneLine, visible } from './visible.ts'

const CHANGE_WIDTH = 60
const TARGET_WIDTH = 60

/** One row an act: when, who, what, to what, how it ended. */
export function drawActs({ acts, unreadable, next }: AuditList, { colors }: Screen): string {
  const pc = createColors(colors)
  const head = ['when', 'who', 'from', 'action', 'target', 'change', 'outcome', 'why']
  const table = new Table({ ...tableStyle(colors), head })
  for (const { storedAt, who, from, action, target, before, after, outcome, fault, reason } of acts)
    table.push([
      visible(storedAt.slice(0, 19).replace('T', ' ')),
      inOneLine(who),
      inOneLine(from),
      visible(action),
      fit(inOneLine(target), TARGET_WIDTH).trimEnd(),
      fit(inOneLine(changeOf(before, after)), CHANGE_WIDTH).trimEnd(),
      visible(outcome),
      inOneLine([reason, fault].filter(Boolean).join(' / ')),
    ])
  return [
    acts.length === 0 ? 'No such acts.' : table.toString(),
    ...(unreadable > 0 ? [pc.yellow(`${plural(unreadable, 'message')} there that no act wrote`)] : []),
    ...(next === undefined ? [] : [pc.dim(`more: --after ${next}`)]),
  ].join('\n')
}

/** `state open → discarded`; of what there was nothing of before, all that there is now. */
function changeOf(before: Plain, after: Plain): string {
  if (!isRecord(before) || !isRecord(after)) return textOf(after)
  return Object.keys(after)
    .filter((name) => textOf(before[name]) !== textOf(after[name]))
    .map((name) => `${name} ${textOf(before[name])} → ${textOf(after[name])}`)
    .join(', ')
}

type PlainRecord = { readonly [name: string]: Plain | undefined }

const isRecord = (value: Plain): value is PlainRecord =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const textOf = (value: Plain | undefined): string => (typeof value === 'string' ? value : JSON.stringify(value ?? null))
