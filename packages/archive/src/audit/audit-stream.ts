import type { StreamInfo } from '@nats-io/jetstream'
import type { StreamEpoch } from '../message/row.ts'
import { type ComparedSources, compareStream } from './compare-stream.ts'
import { type Range, without } from './ranges.ts'
import { markersIn } from '../write/markers.ts'
import { FindingBuilder, type GapRow, isClean, type StreamAudit } from './report.ts'
import { countRows, deadLettersOf, duplicatesOf, gapsOf, holesOf, type RowCounts } from './table-facts.ts'

/** What the table says of one life of a stream by itself. */
type Written = { all: RowCounts | undefined; gaps: GapRow[]; deadLetters: number[] }

/**
 * Audits one life of one stream. `info` is the stream as it was when the audit began; undefined for a life that is over.
 * What the stream still holds is compared message by message; what it no longer holds must be without holes, but for
 * those the archiver wrote down.
 */
export async function auditStream(
  sources: ComparedSources,
  target: StreamEpoch,
  info: StreamInfo | undefined,
): Promise<StreamAudit> {
  const { client } = sources
  const everything = Number.MAX_SAFE_INTEGER
  const written: Written = {
    all: await countRows(client, target, everything),
    gaps: await gapsOf(client, target),
    deadLetters: await deadLettersOf(client, target),
  }
  const range = info && rangeOf(info)
  const missing = new FindingBuilder()
  const conflicts = new Set<number>()
  for (const lost of await unexplained(sources, target, { written, before: range?.first }))
    missing.addRange(lost.first, lost.last)

  let deleted = await goneFrom(sources, target, { range, info })
  let lag = 0
  let compared = 0
  if (info && range) {
    const letters = new Set(written.deadLetters)
    compared = await compareStream(sources, target, {
      range,
      isDirect: info.config.allow_direct,
      found: {
        missing: (seq) => {
          if (letters.has(seq)) return
          missing.add(seq)
          if (seq > (written.all?.last ?? 0)) lag += 1
        },
        conflict: (seq) => conflicts.add(seq),
        deleted: () => {
          deleted += 1
        },
      },
    })
  }
  const { duplicates, contradicting } = await duplicatesOf(client, target)
  for (const seq of contradicting) conflicts.add(seq)
  const conflicting = new FindingBuilder()
  for (const seq of [...conflicts].sort((a, b) => a - b)) conflicting.add(seq)

  const audit = {
    stream: target.stream,
    epoch: target.epoch,
    current: info !== undefined,
    range,
    compared,
    archived: written.all?.seqs ?? 0,
    missing: missing.build(),
    deleted,
    duplicates,
    conflicts: conflicting.build(),
    ahead: info ? await aheadOf(sources, target) : 0,
    deadLetters: written.deadLetters.length,
    lost: written.gaps
      .filter((gap) => gap.reason === 'expired')
      .reduce((sum, gap) => sum + gap.last - gap.first + 1, 0),
    gaps: written.gaps,
    lag,
  }
  return { ...audit, clean: isClean(audit) }
}

function rangeOf(info: StreamInfo): Range | undefined {
  const { first_seq: first, last_seq: last, messages } = info.state
  return messages === 0 ? undefined : { first, last }
}

/** Holes below what the stream still holds that nothing explains. */
async function unexplained(
  { client }: ComparedSources,
  target: StreamEpoch,
  { written, before }: { written: Written; before: number | undefined },
): Promise<Range[]> {
  const explained = [...written.gaps, ...written.deadLetters.map((seq) => ({ first: seq, last: seq }))]
  const upTo = before === undefined ? Number.MAX_SAFE_INTEGER : before - 1
  const below = upTo < 1 ? undefined : await countRows(client, target, upTo)
  if (!below) return []
  const inside = { from: below.first, upTo: below.last }
  const holes = below.seqs === below.last - below.first + 1 ? [] : await holesOf(client, target, inside)
  // From the last row below to the first message the stream still has.
  if (before !== undefined && below.last < upTo) {
    const tail = { first: below.last + 1, last: upTo }
    holes.push(...without(tail, await markersIn(client, target, tail)))
  }
  return holes.flatMap((hole) => without(hole, explained))
}

/** Rows whose messages left the stream at its front; all of them when it is empty. */
async function goneFrom(
  { client }: ComparedSources,
  target: StreamEpoch,
  { range, info }: { range: Range | undefined; info: StreamInfo | undefined },
): Promise<number> {
  const upTo = range ? range.first - 1 : (info?.state.last_seq ?? Number.MAX_SAFE_INTEGER)
  return (await countRows(client, target, upTo))?.seqs ?? 0
}

/** Rows with numbers beyond the stream's last one, asked for after the rows so that a living stream is not accused. */
async function aheadOf({ client, jsm }: ComparedSources, target: StreamEpoch): Promise<number> {
  const all = await countRows(client, target, Number.MAX_SAFE_INTEGER)
  const { state } = await jsm.streams.info(target.stream)
  if (!all || all.last <= state.last_seq) return 0
  const within = await countRows(client, target, state.last_seq)
  return all.seqs - (within?.seqs ?? 0)
}
