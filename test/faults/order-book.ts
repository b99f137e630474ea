import { readFileSync } from 'node:fs'

/** What the workers wrote, judged. */
export type Verdict = {
  /** A step that was begun under the newest fence after a later one of its key, or before the one before it had ended. */
  inversions: string[]
  /** A step that was begun under a fence lower than one seen in its partition: by an owner that was none any more. */
  stale: string[]
  /** Keys with steps that never ended. */
  lost: string[]
  /** Steps that were begun again although they had ended. */
  repeats: number
  begun: number
}

/** @param expected how many steps each key has */
export function judgeBook(
  file: string,
  expected: ReadonlyMap<string, number>,
  partitionOf: (key: string) => number,
): Verdict {
  const verdict: Verdict = { inversions: [], stale: [], lost: [], repeats: 0, begun: 0 }
  const begun = new Map<string, number>()
  const ended = new Map<string, number>()
  const fences = new Map<number, number>()
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    const [what, key = '', ...numbers] = line.split(' ')
    const [n = 0, fence = 0] = numbers.map(Number)
    const done = ended.get(key) ?? -1
    if (what === 'end') {
      if (n === done + 1) ended.set(key, n)
      continue
    }
    verdict.begun++
    const partition = partitionOf(key)
    if (fence < (fences.get(partition) ?? 0)) {
      verdict.stale.push(line)
      continue
    }
    fences.set(partition, Math.max(fence, fences.get(partition) ?? 0))
    if (n < (begun.get(key) ?? -1) || n > done + 1) verdict.inversions.push(line)
    if (n <= done) verdict.repeats++
    begun.set(key, Math.max(n, begun.get(key) ?? -1))
  }
  for (const [key, count] of expected) if ((ended.get(key) ?? -1) !== count - 1) verdict.lost.push(key)
  return verdict
}
