import type { ShownLetter } from '@malha/operations'
import type { PayloadView } from './schemas/shared.ts'

/** What a page shows at most; the rest is a download. */
const MOST_TEXT = 64 * 1024
const MOST_DUMPED = 2048
/** JSON beyond this is shown as it came: to indent it would take longer than anybody reads. */
const MOST_INDENTED = 1024 ** 2

type Shown = Pick<ShownLetter, 'payload' | 'redaction'> & Partial<Pick<ShownLetter, 'hasPayload' | 'kind'>>

/** A payload as people read it: JSON with line breaks, text, or a dump of bytes. What is sensitive in it was hidden before. */
export function payloadView({ redaction: { hidden, withheld }, ...shown }: Shown): PayloadView {
  if (withheld !== undefined) return { bytes: 0, form: 'hidden', isCut: false, hidden, withheld }
  return { ...formOf(shown), hidden }
}

function formOf({ payload, hasPayload = true, kind }: Omit<Shown, 'redaction'>): Omit<PayloadView, 'hidden'> {
  const bytes = payload.length
  if (kind === 'expired') return { bytes, form: 'expired', isCut: false }
  if (!hasPayload) return { bytes, form: 'left-out', isCut: false }
  if (bytes === 0) return { bytes, form: 'empty', isCut: false }
  const text = textOf(payload)
  if (text === undefined) return { bytes, form: 'binary', text: dumped(payload), isCut: bytes > MOST_DUMPED }
  const json = bytes <= MOST_INDENTED ? indented(text) : undefined
  const shown = json ?? text
  return {
    bytes,
    form: json === undefined ? 'text' : 'json',
    text: shown.slice(0, MOST_TEXT).toWellFormed(),
    isCut: shown.length > MOST_TEXT,
  }
}

/** UTF-8; undefined: it is none. */
export function textOf(payload: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(payload)
  } catch {
    return undefined
  }
}

/** ES2026; TypeScript does not know it yet. */
const { rawJSON } = JSON as typeof JSON & { rawJSON: (text: string) => unknown }

/** JSON with line breaks, and every number as it was written; undefined: it is none. */
export function indented(text: string): string | undefined {
  const asWritten = (_: string, value: unknown, { source }: { source?: string } = {}): unknown =>
    typeof value === 'number' && source !== undefined ? rawJSON(source) : value
  try {
    return JSON.stringify(JSON.parse(text, asWritten), null, 2)
  } catch {
    return undefined
  }
}

/** Sixteen bytes a line: offset, hex, and what of it is printable ASCII. */
function dumped(payload: Uint8Array): string {
  const lines: string[] = []
  for (let at = 0; at < Math.min(payload.length, MOST_DUMPED); at += 16) {
    const bytes = [...payload.subarray(at, at + 16)]
    const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const ascii = bytes.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCodePoint(byte) : '.')).join('')
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${ascii}`)
  }
  return lines.join('\n')
}
