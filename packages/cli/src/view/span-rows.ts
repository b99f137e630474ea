import type { Span } from '@malha/operations'

/** One line of a waterfall: a span, or several alike that were folded into one line. */
export type SpanRow = {
  depth: number
  span: Span
  /** Which try of its work this is, from 2 on; 1 is not marked. */
  attempt: number | undefined
  /** How many spans this line stands for beyond `span`, and when the last of them ended. */
  folded: { count: number; spans: readonly Span[] } | undefined
}

/** So many failed attempts alike are shown before the rest is folded; the last one always is. */
const SHOWN = 2

/**
 * The spans as a tree, parents before children, siblings by start. A long run of failed attempts of the same work is
 * folded into one line that says how many they were. Spans whose parent is not in the trace stand at the root.
 */
export function spanRows(spans: readonly Span[]): SpanRow[] {
  const known = new Set(spans.map((span) => span.spanId))
  const children = new Map<string, Span[]>()
  for (const span of spans.toSorted(byStart)) {
    const parent = span.parentId !== undefined && known.has(span.parentId) ? span.parentId : ''
    children.set(parent, [...(children.get(parent) ?? []), span])
  }
  return rowsUnder('', 0, children)
}

function rowsUnder(parent: string, depth: number, children: ReadonlyMap<string, Span[]>): SpanRow[] {
  const siblings = children.get(parent) ?? []
  const attempts = numberAttempts(siblings)
  const hidden = foldedAttempts(siblings)
  const rows: SpanRow[] = []
  for (const span of siblings) {
    const run = hidden.get(span)
    if (run === 'inside') continue
    rows.push({ depth, span, attempt: attempts.get(span), folded: run && { count: run.length, spans: run } })
    if (run === undefined) rows.push(...rowsUnder(span.spanId, depth + 1, children))
  }
  return rows
}

/**
 * The mesh numbers attempts; of other retries, attempts are siblings alike of which an earlier one failed. What is alike and
 * did not fail, such as two outputs, is no retry.
 */
function numberAttempts(siblings: readonly Span[]): Map<Span, number> {
  const numbers = new Map<Span, number>()
  for (const alike of groupAlike(siblings).values()) {
    const isRetried = alike.slice(0, -1).some((span) => span.failed)
    for (const [index, span] of alike.entries()) {
      const attempt = Number(span.attributes['mesh.attempt'] ?? (isRetried ? index + 1 : 1))
      if (attempt > 1) numbers.set(span, attempt)
    }
  }
  return numbers
}

/** The first span of a folded run maps to the whole run, the others to `inside`. */
function foldedAttempts(siblings: readonly Span[]): Map<Span, readonly Span[] | 'inside'> {
  const hidden = new Map<Span, readonly Span[] | 'inside'>()
  for (const alike of groupAlike(siblings).values()) {
    const failed = alike.filter((span) => span.failed)
    const run = failed.slice(SHOWN, -1)
    if (run.length < 2) continue
    for (const [index, span] of run.entries()) hidden.set(span, index === 0 ? run : 'inside')
  }
  return hidden
}

function groupAlike(siblings: readonly Span[]): Map<string, Span[]> {
  const groups = new Map<string, Span[]>()
  for (const span of siblings) {
    const likeness = `${span.service} ${span.name} ${String(span.attributes['messaging.consumer.group.name'] ?? '')}`
    groups.set(likeness, [...(groups.get(likeness) ?? []), span])
  }
  return groups
}

function byStart(a: Span, b: Span): number {
  if (a.startNs !== b.startNs) return a.startNs < b.startNs ? -1 : 1
  return a.endNs < b.endNs ? 1 : -1
}
