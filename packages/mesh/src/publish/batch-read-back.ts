import { millis } from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import { decodeAttribute, HEADER } from '../message/headers.ts'
import { ERR_CODE, PublishRefused } from './pub-ack.ts'
import { firstBehind, IdConflict, isSame, type Outgoing, type PublisherDeps, readBack } from './publisher.ts'
import type { StoredMessage } from './stored-message.ts'

/** Messages read at once. */
const PARALLEL = 50
/** A stream's clock and its window are not read at the same moment. */
const SLACK_MS = 1000

/**
 * What the refusal of a batch means. It may be stored already, by a send whose answer was lost: then every event of it
 * stands in the stream, next to each other, with the same payloads. Returns the sequence of the first.
 *
 * A repeat is refused for its ids (10201), or, if it has a `once`, for its expectation (10071).
 * @throws MeshError MESH_ID_CONFLICT | MESH_ONCE_CONFLICT, or `refusal` itself
 */
export async function batchThatIsThere(
  deps: PublisherDeps,
  outs: readonly Outgoing[],
  refusal: unknown,
): Promise<number> {
  if (!(refusal instanceof PublishRefused)) throw refusal
  const { expect } = outs[0]!
  if (refusal.errCode === ERR_CODE.wrongLastSequence && expect) {
    const { seq } = await firstBehind(deps, outs[0]!, expect)
    return await compare(deps, outs, { index: 0, seq })
  }
  if (refusal.errCode === ERR_CODE.wrongLastSequence) return await afterOnce(deps, outs, refusal)
  if (refusal.errCode !== ERR_CODE.batchDuplicate) throw refusal
  const first = outs[0]!
  const stored = await findByWindow(deps, first)
  if (stored) return await compare(deps, outs, { index: 0, seq: stored.seq })
  throw await takenError(deps, outs)
}

async function afterOnce(deps: PublisherDeps, outs: readonly Outgoing[], refusal: PublishRefused): Promise<number> {
  for (const [index, out] of outs.entries()) {
    if (!out.once) continue
    const stored = await readBack(deps, out.stream, { last_by_subj: out.subject })
    if (!stored) continue
    if (idOf(stored) === out.envelope.id) return await compare(deps, outs, { index, seq: stored.seq })
    throw new MeshError(
      'MESH_ONCE_CONFLICT',
      `${out.envelope.type} of key ${JSON.stringify(out.envelope.key)} was published before, as ${idOf(stored)} (sequence ${stored.seq}); nothing of the batch was stored`,
    )
  }
  throw refusal
}

/** Holds the whole batch against what is stored around one of its events. */
async function compare(
  deps: PublisherDeps,
  outs: readonly Outgoing[],
  { index, seq }: { index: number; seq: number },
): Promise<number> {
  const firstSeq = seq - index
  for (let from = 0; from < outs.length; from += PARALLEL) {
    const some = outs.slice(from, from + PARALLEL)
    const stored = await Promise.all(
      some.map((out, offset) => readBack(deps, out.stream, { seq: Math.max(1, firstSeq + from + offset) })),
    )
    for (const [offset, out] of some.entries()) {
      const found = stored[offset]
      if (found && idOf(found) === out.envelope.id && !isSame(found, out)) throw new IdConflict(out, found)
      if (!found || !isSame(found, out)) throw await takenError(deps, outs)
    }
  }
  return firstSeq
}

/** Some ids of the batch are stored, but not this batch. */
async function takenError(deps: PublisherDeps, outs: readonly Outgoing[]): Promise<MeshError> {
  for (const out of outs.slice(0, PARALLEL)) {
    const stored = await readBack(deps, out.stream, { last_by_subj: out.subject })
    if (stored && idOf(stored) === out.envelope.id) return new IdConflict(out, stored)
  }
  return new MeshError(
    'MESH_ID_CONFLICT',
    `an id of the batch is taken by an event outside of it, in ${outs[0]!.stream}; nothing was stored. Give every batch ids of its own`,
  )
}

/** The server remembers an id for its duplicate window, so the event is not older, by the server's own clock. */
async function findByWindow(deps: PublisherDeps, out: Outgoing): Promise<StoredMessage | undefined> {
  const last = await readBack(deps, out.stream, { last_by_subj: out.subject })
  if (!last || idOf(last) === out.envelope.id) return last
  const answer = await deps.nc.request(`$JS.API.STREAM.INFO.${out.stream}`, undefined, { timeout: 5000 })
  const { ts, config } = answer.json<{ ts: string; config: { duplicate_window: number } }>()
  const from = new Date(Date.parse(ts) - millis(config.duplicate_window) - SLACK_MS).toISOString()
  let found = await readBack(deps, out.stream, { start_time: from, next_by_subj: out.subject })
  while (found && found.seq < last.seq && idOf(found) !== out.envelope.id)
    found = await readBack(deps, out.stream, { seq: found.seq + 1, next_by_subj: out.subject })
  return found && idOf(found) === out.envelope.id ? found : undefined
}

const idOf = ({ headers }: StoredMessage): string => decodeAttribute(headers[HEADER.id] ?? '')
