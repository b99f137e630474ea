import { millis } from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import { ERR_CODE, PublishRefused } from './pub-ack.ts'
import { firstBehind, IdConflict, isSame, type Outgoing, type PublisherDeps, readBack } from './publisher.ts'
import { idOf } from '../read/stored-message.ts'
import { Trail } from './trail.ts'

/** Messages read at once. */
const PARALLEL = 50
/** A stream's clock and its window are not read at the same moment. */
const SLACK_MS = 1000

/**
 * What the refusal of a batch means. It may be stored already, by a send whose answer was lost: then every event of it
 * stands in the stream, next to each other, with the same payloads. Returns the sequence of the first.
 *
 * A repeat is refused for its ids (10201), or, if it has a `once`, for its expectation (10071).
 * @throws MeshError MESH_ID_CONFLICT | MESH_ONCE_CONFLICT, or `refusal` itself; MESH_PUBLISH_TIMEOUT when `signal` comes first
 */
export async function batchThatIsThere(
  deps: PublisherDeps,
  outs: readonly Outgoing[],
  { refusal, signal }: { refusal: unknown; signal: AbortSignal },
): Promise<number> {
  if (!(refusal instanceof PublishRefused)) throw refusal
  if (refusal.errCode === ERR_CODE.wrongLastSequence) return await afterExpectation(deps, outs, refusal)
  if (refusal.errCode !== ERR_CODE.batchDuplicate) throw refusal
  const place = (await findLast(deps, outs)) ?? (await findByWindow(deps, outs[0]!, signal))
  if (place) return await compare(deps, outs, place)
  throw new MeshError(
    'MESH_ID_CONFLICT',
    `an id of the batch is taken by an event outside of it, in ${outs[0]!.stream}; nothing was stored. Give every batch ids of its own`,
  )
}

/** The first of a batch may expect something; others that are published once, that there is none of their key. */
async function afterExpectation(
  deps: PublisherDeps,
  outs: readonly Outgoing[],
  refusal: PublishRefused,
): Promise<number> {
  const [first] = outs
  const { expect } = first!
  if (!expect) return await afterOnce(deps, outs, refusal)
  try {
    const { seq } = await firstBehind(deps, first!, expect)
    return await compare(deps, outs, { index: 0, seq })
  } catch (error) {
    const isExpectation = error instanceof MeshError && error.code === 'MESH_EXPECTATION_FAILED'
    // Where the expectation fails as well, either is the reason.
    if (isExpectation) return await afterOnce(deps, outs, error)
    throw error
  }
}

/** @throws MeshError MESH_ONCE_CONFLICT, or `refusal` when it is not for a `once` */
async function afterOnce(deps: PublisherDeps, outs: readonly Outgoing[], refusal: MeshError): Promise<number> {
  for (const [index, out] of outs.entries()) {
    if (!out.once) continue
    const stored = await readBack(deps, out.stream, { seq: 1, next_by_subj: out.subject })
    if (!stored) continue
    if (idOf(stored) === out.envelope.id) return await compare(deps, outs, { index, seq: stored.seq })
    throw new MeshError(
      'MESH_ONCE_CONFLICT',
      `${out.envelope.type} of key ${JSON.stringify(out.envelope.key)} was published before, as ${idOf(stored)} (sequence ${stored.seq}); nothing of the batch was stored`,
    )
  }
  throw refusal
}

/** Where one event of a batch stands. */
type Place = { index: number; seq: number }

/** Holds the whole batch against what is stored around one of its events. */
async function compare(deps: PublisherDeps, outs: readonly Outgoing[], place: Place): Promise<number> {
  const firstSeq = place.seq - place.index
  for (let from = 0; from < outs.length; from += PARALLEL) {
    const some = outs.slice(from, from + PARALLEL)
    const stored = await Promise.all(
      some.map((out, offset) => readBack(deps, out.stream, { seq: Math.max(1, firstSeq + from + offset) })),
    )
    for (const [offset, out] of some.entries()) {
      const found = stored[offset]
      if (found && idOf(found) === out.envelope.id && !isSame(found, out)) throw new IdConflict(out, found)
      if (!found || !isSame(found, out)) throw await loneError(deps, outs, place)
    }
  }
  return firstSeq
}

/** One id of the batch is stored, but not with the others. */
async function loneError(deps: PublisherDeps, outs: readonly Outgoing[], { index, seq }: Place): Promise<Error> {
  const out = outs[index]!
  const stored = await readBack(deps, out.stream, { seq })
  return stored
    ? new IdConflict(out, stored)
    : new MeshError('MESH_PUBLISH_TIMEOUT', `${out.subject}: the event that was there is gone; publish again`)
}

/** One that is the last of its subject still, as keyed ones often are. */
async function findLast(deps: PublisherDeps, outs: readonly Outgoing[]): Promise<Place | undefined> {
  const keyed = outs.map((out, index) => ({ out, index })).filter(({ out }) => out.envelope.key !== undefined)
  const found = await Promise.all(
    [{ out: outs[0]!, index: 0 }, ...keyed.slice(0, PARALLEL)].map(async ({ out, index }) => {
      const last = await readBack(deps, out.stream, { last_by_subj: out.subject })
      return last && idOf(last) === out.envelope.id ? { index, seq: last.seq } : undefined
    }),
  )
  return found.find((place) => place !== undefined)
}

/** The server remembers an id for its duplicate window, so the event is not older, by the server's own clock. */
async function findByWindow(deps: PublisherDeps, out: Outgoing, signal: AbortSignal): Promise<Place | undefined> {
  const trail = new Trail(deps, out, { start_time: await windowStart(deps, out) })
  const found = await trail.find(out.envelope.id, signal).catch((cause: unknown) => {
    if (!signal.aborted) throw cause
    const what = `a batch of these ids is in ${out.stream} already and was not found within ${out.timeoutMs} ms`
    throw new MeshError('MESH_PUBLISH_TIMEOUT', `${what}; publish again with the same ids`, { cause })
  })
  return found && { index: 0, seq: found.seq }
}

async function windowStart({ nc }: PublisherDeps, { stream }: Outgoing): Promise<string> {
  try {
    const answer = await nc.request(`$JS.API.STREAM.INFO.${stream}`, undefined, { timeout: 5000 })
    const { ts, config } = answer.json<{ ts: string; config: { duplicate_window: number } }>()
    return new Date(Date.parse(ts) - millis(config.duplicate_window) - SLACK_MS).toISOString()
  } catch (cause) {
    const what = `a batch of these ids is in ${stream} already and could not be compared`
    throw new MeshError('MESH_PUBLISH_TIMEOUT', `${what}: the server did not answer`, { cause })
  }
}
