import { type Entries, type Facts, type StreamLife } from '../../history/facts.ts'
import { type Rule, violation, type Violation } from '../violation.ts'

/**
 * Each message of each archived stream, dead letters too, has one row: the physical rows are counted, not what a merge
 * leaves of them. A row says the same as its message: id, type, what it belongs to and came of, subject, time and payload. A
 * row without a message is one that the stream let go: `MESH` drops its oldest, and an operator may have deleted a stream.
 */
export const archiveHasTheStreams: Rule = {
  name: 'archive-has-the-streams',
  claim: 'Each message of the streams, dead letters included, has exactly one row in the archive, which says the same.',
  *violations(facts) {
    for (const life of facts.lives) yield* compare(facts, life)
  },
}

function* compare(facts: Facts, life: StreamLife): Generator<Violation> {
  const { stream, epoch, stored, archived } = life
  const storedBySeq = bySeq(stored)
  const rowsBySeq = bySeq(archived)
  const first = storedBySeq.length === 0 ? Number.POSITIVE_INFINITY : stored.seqs.at(storedBySeq[0]!)
  let row = 0
  const say = (entries: Entries, index: number, says: string): Violation => {
    const place = { stream, epoch, seq: entries.seqs.at(index) }
    return violation(facts, entries.ids.at(index), `(${stream} ${place.seq}) ${says}`, { place })
  }
  const extra = function* (until: number): Generator<Violation> {
    for (; row < rowsBySeq.length && archived.seqs.at(rowsBySeq[row]!) < until; row++) {
      const index = rowsBySeq[row]!
      if (!mayBeGone(facts, life, archived.seqs.at(index) < first))
        yield say(archived, index, 'is in the archive and not in its stream')
    }
  }
  for (const index of storedBySeq) {
    const seq = stored.seqs.at(index)
    yield* extra(seq)
    let rows = 0
    let same = 0
    for (; row < rowsBySeq.length && archived.seqs.at(rowsBySeq[row]!) === seq; row++) {
      rows++
      if (isSame(stored, index, { other: archived, at: rowsBySeq[row]! })) same++
    }
    if (rows === 0) yield say(stored, index, 'has no row in the archive')
    else if (same < rows) yield say(stored, index, 'has a row in the archive that says something else')
    else if (rows > 1) yield say(stored, index, `has ${rows} rows in the archive`)
  }
  yield* extra(Number.POSITIVE_INFINITY)
}

function mayBeGone({ lost }: Facts, { stream, epoch }: StreamLife, isBelowFirst: boolean): boolean {
  if (stream === 'MESH' && isBelowFirst) return true
  return lost.some((one) => one.stream === stream && one.epoch === epoch)
}

function isSame(one: Entries, index: number, { other, at }: { other: Entries; at: number }): boolean {
  return one.ids.at(index) === other.ids.at(at) && one.digests.at(index) === other.digests.at(at)
}

/** The indexes of entries in the order of their sequences. */
function bySeq({ seqs }: Entries): Int32Array {
  const order = Int32Array.from({ length: seqs.length }, (_, index) => index)
  const isSorted = order.every((index) => index === 0 || seqs.at(index - 1) <= seqs.at(index))
  return isSorted ? order : order.sort((a, b) => seqs.at(a) - seqs.at(b))
}
