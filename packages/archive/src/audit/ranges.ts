/** Sequences from `first` to `last`, both included. */
export type Range = { readonly first: number; readonly last: number }

/** What is left of a range when others are taken out; `others` may overlap and come in any order. */
export function without(range: Range, others: readonly Range[]): Range[] {
  const left: Range[] = []
  let from = range.first
  for (const other of [...others].sort((a, b) => a.first - b.first)) {
    if (other.last < from || other.first > range.last) continue
    if (other.first > from) left.push({ first: from, last: other.first - 1 })
    from = Math.max(from, other.last + 1)
  }
  if (from <= range.last) left.push({ first: from, last: range.last })
  return left
}
