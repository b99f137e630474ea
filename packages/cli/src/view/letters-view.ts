import type { JsonChange, LetterGroup, LetterList, ShownLetter } from '@malha/operations'
import { createColors } from 'picocolors'
import type { Screen } from './print.ts'
import { tableOf } from './table.ts'
import { fit, plural } from './text.ts'
import { inOneLine, visible } from './visible.ts'

/** Groups, then the letters of a page, then how to go on. */
export function drawLetters({ letters, groups, total, next }: LetterList, { width, colors }: Screen): string {
  if (total === 0) return 'No such letters.'
  const pc = createColors(colors)
  const rows = letters.map((letter) => [
    String(letter.seq),
    shortTime(letter.at),
    whose(letter),
    letter.group,
    visible(letter.key ?? letter.id ?? letter.origin.seq),
    letter.editSeq > 0 ? `${letter.state}, edited` : letter.state,
    whyOf(letter),
  ])
  return [
    `${plural(total, 'dead letter')} in ${plural(groups.length, 'group')}`,
    drawGroups(groups, { width, colors }),
    tableOf(['letter', 'written', 'handler', 'group', 'key or id', 'state', 'why'], rows, { width, colors }),
    pc.dim('malha dlq show <letter> has all of one; --group shows those of a group alone'),
    ...(next === undefined ? [] : [pc.dim(`more: --after ${next}`)]),
  ].join('\n')
}

function drawGroups(groups: readonly LetterGroup[], screen: Screen): string {
  const rows = groups.map((group) => [
    group.group,
    whose(group),
    String(group.letters),
    shortTime(group.firstAt),
    shortTime(group.lastAt),
    visible(group.code),
    whyOf(group),
  ])
  return tableOf(['group', 'handler', 'letters', 'first', 'last', 'code', 'why'], rows, screen)
}

/** One letter whole: what happened, to what, and what it carried. */
export function drawLetter(letter: ShownLetter & { holdsKey?: boolean | null }, { colors }: Screen): string {
  const pc = createColors(colors)
  const { origin } = letter
  const lines: [name: string, value: string | undefined][] = [
    ['letter', `${letter.seq}, ${letter.subject}`],
    ['written', letter.at],
    ['handler', `${whose(letter)}${letter.serviceVersion ? ` (${letter.serviceVersion})` : ''}`],
    ['why', whyOf(letter, { lines: true })],
    ['code', letter.code],
    ['error', letter.errorClass],
    ['group', letter.group],
    ['attempts', `${letter.attempts}${letter.attemptTimes.length > 0 ? `: ${letter.attemptTimes.join(', ')}` : ''}`],
    ['event', [letter.type, letter.id].filter(Boolean).join(' ')],
    ['key', letter.key],
    [
      'holds',
      letter.holdsKey ? 'its key: later events wait until it is redriven with success, or discarded' : undefined,
    ],
    ['correlation', letter.correlationId],
    ['trace', letter.traceId],
    ['stands at', `${origin.stream} ${origin.seq} (${origin.subject}), stored ${origin.publishedAt ?? 'never'}`],
  ]
  const known = lines.filter((line): line is [string, string] => line[1] !== undefined && line[1] !== '')
  const block = (title: string, text: string): string[] => (text === '' ? [] : ['', pc.bold(title), text])
  return [
    ...known.map(([name, value]) => `${pc.dim(name.padEnd(12))} ${name === 'why' ? value : visible(value)}`),
    ...block('headers', letter.headers.map(([name, value]) => `${visible(name)}: ${visible(value)}`).join('\n')),
    ...block('stack', visible(letter.stack ?? '', { lines: true })),
    ...block('payload', payloadText(letter)),
    ...(letter.redaction.hidden > 0
      ? ['', pc.dim(`${plural(letter.redaction.hidden, 'value')} hidden as sensitive; --reveal shows them`)]
      : []),
  ].join('\n')
}

/** What was changed of a payload: a line a change. */
export function drawChanges(changes: readonly JsonChange[], { colors, width }: Screen): string {
  const pc = createColors(colors)
  return changes
    .map((change) => {
      const value = 'value' in change ? inOneLine(JSON.stringify(change.value)) : ''
      const line = `${change.op.padEnd(8)} ${visible(change.path) || '(all of it)'}  ${value}`
      return (change.op === 'remove' ? pc.red : pc.green)(fit(line, width).trimEnd())
    })
    .join('\n')
}

const LONGEST_SHOWN = 16_384

function payloadText({ payload, hasPayload, kind, redaction }: ShownLetter): string {
  if (!hasPayload)
    return '(left out: it did not fit beside the headers of the letter; its bytes are still in its stream)'
  if (redaction.withheld !== undefined) return `(hidden: ${visible(redaction.withheld)}; --reveal shows it)`
  if (payload.length === 0) return kind === 'expired' ? '(the events are gone; the archive may have them)' : '(empty)'
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(payload)
  } catch {
    return `(${payload.length} bytes that are no text; --json has them in base64)`
  }
  const shown = indented(text)
  return visible(shown.length > LONGEST_SHOWN ? `${shown.slice(0, LONGEST_SHOWN)}\n… (--json has all)` : shown, {
    lines: true,
  })
}

function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

/** Without the code before it, which is said elsewhere, on one line unless `lines` says so. */
export function whyOf(
  { code, reason }: { code: string; reason: string },
  { lines = false }: { lines?: boolean } = {},
): string {
  const why = reason.startsWith(`${code}: `) ? reason.slice(code.length + 2) : reason
  return lines ? visible(why, { lines }) : inOneLine(why)
}

function whose({ service, handler }: { service: string | undefined; handler: string | undefined }): string {
  return service ? visible(`${service}/${handler}`) : 'a spool'
}

/** Without the year and parts of a second. */
const shortTime = (iso: string): string => visible(iso.slice(5, 19).replace('T', ' '))
