/**
 * A handler's outputs and the marker of its message in one atomic batch (`effects: 'once'`).
 *
 * E1  The marker is the first of the batch and must not exist (`Nats-Expected-Last-Subject-Sequence: 0`). So a batch is
 *     stored once for as long as the marker lives, whoever tries, and whatever became of the answers.
 * E2  Outputs carry no `Nats-Msg-Id`: an id stored by some other publish would fail a batch whose marker does not exist.
 * E3  Only the server's word that the batch is stored, or the marker itself, read from the stream's leader, means done.
 * E4  The marker names the type and the payload it stands for: another message under the same id is an error, never done.
 * E5  The marker outlives whatever can bring the message back: `markerTtlMs`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { MeshError } from '../errors.ts'
import type { Envelope } from '../message/envelope.ts'
import { decodeAttribute, encodeAttribute, HEADER, headerBytes } from '../message/headers.ts'
import { payloadHash } from '../message/id.ts'
import { publishSpan, type PublishSpan } from '../observe/spans.ts'
import type { BatchMember } from '../publish/atomic-batch.ts'
import { ERR_CODE, PublishRefused } from '../publish/pub-ack.ts'
import { checkSize, eventHeaders, type Outgoing, type PublisherDeps, readBack } from '../publish/publisher.ts'

/** What a marker says. Format 1; docs/reference/wire.md. */
export const DONE_HEADER = {
  format: 'malha-done-format',
  type: 'malha-done-type',
  sha256: 'malha-done-sha256',
} as const

/** The message whose outputs are to be stored once. */
export type OnceOf = {
  /** Subject of the marker, with the namespace. */
  marker: string
  /** Of the outputs, as the server names it. */
  stream: string
  ttlMs: number
  cause: Envelope
  payload: Uint8Array
}

const AGAIN_MS = 250

/**
 * Stores the outputs of one message once, each with its span and its count. Returns false when an earlier run's are stored.
 * @throws MeshError MESH_ID_CONFLICT and those of the pipeline
 */
export async function publishOnce(deps: PublisherDeps, once: OnceOf, outs: readonly Outgoing[]): Promise<boolean> {
  const spans = outs.map(({ envelope, subject, payload }) => publishSpan(envelope, subject, payload.length))
  const started = performance.now()
  try {
    const members = outs.map((out, index) => memberOf(deps, out, spans[index]!))
    const seqs = await store(deps, once, { outs, members })
    for (const [index, out] of outs.entries()) {
      const seq = seqs?.[index]
      if (seq === undefined) spans[index]!.endUnstored()
      else {
        spans[index]!.end({ stream: out.stream, seq })
        deps.sent.stored(out.envelope.type, performance.now() - started)
      }
    }
    return seqs !== undefined
  } catch (error) {
    for (const span of spans) span.fail(error)
    for (const out of outs) deps.sent.failed(out.envelope.type, performance.now() - started, error)
    throw error
  }
}

/** Where each output stands, none for a `once` whose event was there; undefined if this message's marker was there. */
async function store(
  deps: PublisherDeps,
  once: OnceOf,
  { outs, members }: { outs: readonly Outgoing[]; members: readonly BatchMember[] },
): Promise<readonly (number | undefined)[] | undefined> {
  const { stream } = once
  const { timeoutMs } = outs[0]!
  let open = withoutRepeats(outs.map((out, index) => ({ out, index })))
  for (const deadline = performance.now() + timeoutMs; ; await sleep(AGAIN_MS)) {
    try {
      const { seq } = await deps.commits.commit({
        stream,
        members: [markerOf(once), ...open.map(({ index }) => members[index]!)],
        timeoutMs,
      })
      const seqs: (number | undefined)[] = outs.map(() => undefined)
      for (const [place, { index }] of open.entries()) seqs[index] = seq - (open.length - 1 - place)
      return seqs
    } catch (error) {
      if (!(error instanceof PublishRefused) || error.errCode !== ERR_CODE.wrongLastSequence) throw error
      if (await isDone(deps, once)) return undefined
      const before = open.length
      open = await withoutThoseThere(deps, open)
      // A leader may refuse for a marker that is not stored yet, or never will be.
      if (open.length === before && performance.now() > deadline) throw error
    }
  }
}

type Open = { out: Outgoing; index: number }

function memberOf({ nc }: PublisherDeps, out: Outgoing, span: PublishSpan): BatchMember {
  const headers = eventHeaders(out, span.headers(out.traceparent))
  checkSize(nc, out, headerBytes(headers))
  return { subject: out.subject, payload: out.payload, headers }
}

function markerOf({ marker, ttlMs, cause, payload }: OnceOf): BatchMember {
  return {
    subject: marker,
    payload: new Uint8Array(),
    headers: [
      [DONE_HEADER.format, '1'],
      [DONE_HEADER.type, encodeAttribute(cause.type)],
      [DONE_HEADER.sha256, payloadHash(payload)],
      [HEADER.ttl, `${Math.ceil(ttlMs / 1000)}s`],
      [HEADER.expectedLastSubjectSequence, '0'],
    ],
  }
}

/**
 * Whether the outputs of this message are stored. Upholds E3 and E4.
 * @throws MeshError MESH_ID_CONFLICT
 */
export async function isDone(deps: PublisherDeps, { marker, stream, cause, payload }: OnceOf): Promise<boolean> {
  const found = await readBack(deps, stream, { last_by_subj: marker })
  if (!found) return false
  const { [DONE_HEADER.type]: type = '', [DONE_HEADER.sha256]: digest } = found.headers
  if (decodeAttribute(type) === cause.type && digest === payloadHash(payload)) return true
  throw new MeshError(
    'MESH_ID_CONFLICT',
    `this handler has published for another message of the id ${cause.id} (${decodeAttribute(type)}, marker at ${found.seq} of ${stream}); an id names one type, key and payload`,
  )
}

/** Of a `once` output whose type and key another one of the batch has already, nothing is asked any more. */
function withoutRepeats(outs: readonly Open[]): Open[] {
  const subjects = new Set<string>()
  return outs.filter(({ out }) => {
    if (out.once && subjects.has(out.subject)) return false
    subjects.add(out.subject)
    return true
  })
}

/** `once` in a handler asks that the event be there, not that it be ours. */
async function withoutThoseThere(deps: PublisherDeps, outs: readonly Open[]): Promise<Open[]> {
  const there = await Promise.all(
    outs.map(
      async ({ out }) => out.once && (await readBack(deps, out.stream, { last_by_subj: out.subject })) !== undefined,
    ),
  )
  return outs.filter((_, index) => !there[index])
}
