import { MeshError, type MeshErrorCode } from '../errors.ts'
import { isMatch, isObject, isWhole } from '../given.ts'

/** The server's word that a message is stored. */
export type PubAck = {
  stream: string
  seq: number
  /** The server had this `Nats-Msg-Id` already; `seq` is the first one's. */
  duplicate: boolean
  /** It was sent before without an answer: that send may have been stored. */
  resent: boolean
}

/** A publish the server refused. `errCode` is JetStream's `err_code` (nats-server's errors.json). */
export class PublishRefused extends MeshError {
  readonly errCode: number
  /** Of the answer, as in HTTP; 0 where the server did not say. */
  readonly status: number
  /** As for {@link PubAck.resent}. */
  readonly resent: boolean

  constructor(code: MeshErrorCode, detail: string, refusal: { errCode: number; status?: number; resent: boolean }) {
    super(code, detail)
    this.errCode = refusal.errCode
    this.status = refusal.status ?? 0
    this.resent = refusal.resent
  }
}

/** JetStream error codes the mesh reads. */
export const ERR_CODE = {
  wrongLastSequence: 10071,
  storeFailed: 10077,
  conflictInFlight: 10164,
  /** R3: the first send of this id is not decided yet. */
  idInProcess: 10158,
  unavailable: 10008,
  insufficientResources: 10023,
  replicasNotReady: 10054,
  /** Nothing of an atomic batch is stored: a member did not arrive, or too many batches are open (10210 tells only the first member). */
  batchIncomplete: 10176,
  /** An atomic batch has a `Nats-Msg-Id` that the stream knows. Nothing is stored. */
  batchDuplicate: 10201,
} as const

/**
 * Why the same is to come again: `nobody` takes it now; `conflict`: another message of its subject is not decided yet;
 * `undecided`: it may be on its way itself. By the first two, what was sent is not stored.
 */
export type Again = 'nobody' | 'conflict' | 'undecided'

const AGAIN: ReadonlyMap<number, Again> = new Map([
  [ERR_CODE.unavailable, 'nobody'],
  [ERR_CODE.batchIncomplete, 'nobody'],
  // nats-server 2.15 checks it before it proposes the message to the others (checkMsgHeadersPreClusteredProposal).
  [ERR_CODE.conflictInFlight, 'conflict'],
  [ERR_CODE.idInProcess, 'undecided'],
])

const INCOMPLETE =
  'the batch arrived incomplete; too many are open, or its stream lacks one of its subjects, or this user may not publish there'

/** What one reply to a publish means. */
export type Reply =
  | { kind: 'stored'; stream: string; seq: number; duplicate: boolean }
  | { kind: 'again'; why: string; because: Again }
  | { kind: 'refused'; errCode: number; status: number; description: string }

type ReplyBody = {
  stream?: string
  seq?: number
  duplicate?: boolean
  error?: { code: number; err_code?: number; description?: string }
}

/** Reads a reply; `status` is the code of a status frame (503: nobody stores this subject, or no leader yet). */
export function readReply(status: number | undefined, body: string): Reply {
  if (status === 503) {
    const why = 'no stream holds this subject, or it has no leader yet'
    return { kind: 'again', why, because: 'nobody' }
  }
  let parsed: ReplyBody
  try {
    parsed = JSON.parse(body) as ReplyBody
  } catch {
    return { kind: 'refused', errCode: 0, status: 0, description: `an answer that is no PubAck: ${body.slice(0, 80)}` }
  }
  if (isObject(parsed) && isObject(parsed.error)) return readError(parsed.error)
  if (!isObject(parsed) || !isWhole(parsed.seq, 1) || !isMatch(parsed.stream, /./))
    return { kind: 'refused', errCode: 0, status: 0, description: 'an answer without a sequence' }
  return { kind: 'stored', stream: parsed.stream, seq: parsed.seq, duplicate: parsed.duplicate === true }
}

const MOST_LEARNED = 16
const MOST_DIGITS = 15
const BRACE = 0x7d
const ZERO = 0x30

/** A message of the client, as far as an answer is read of it. */
type Answer = { readonly data: Uint8Array; readonly headers?: { readonly code: number }; string(): string }

/**
 * Reads replies. PubAcks of one stream differ only in the sequence at their end, so they are compared by bytes, and neither
 * text nor an object is made of them.
 */
export class ReplyReader {
  readonly #learned: { head: Buffer; stream: string }[] = []

  read(answer: Answer): Reply {
    for (const { head, stream } of this.#learned) {
      const seq = seqBehind(head, answer.data)
      if (seq > 0) return { kind: 'stored', stream, seq, duplicate: false }
    }
    const body = answer.string()
    const reply = readReply(answer.headers?.code, body)
    this.#learn(body, reply)
    return reply
  }

  /** Only what ends in its sequence, as the server writes it: `{"stream":"ORDERS", "seq":17}`. */
  #learn(body: string, reply: Reply): void {
    if (reply.kind !== 'stored' || reply.duplicate || this.#learned.length === MOST_LEARNED) return
    const { stream, seq } = reply
    if (body.endsWith(`"seq":${seq}}`))
      this.#learned.push({ head: Buffer.from(body.slice(0, -`${seq}}`.length)), stream })
  }
}

/** The digits between `head` and a closing brace; 0 where the body is anything else. */
function seqBehind(head: Buffer, body: Uint8Array): number {
  const end = body.length - 1
  if (end <= head.length || end > head.length + MOST_DIGITS || body[end] !== BRACE) return 0
  for (let at = 0; at < head.length; at++) if (body[at] !== head[at]) return 0
  if (body[head.length] === ZERO) return 0
  let seq = 0
  for (let at = head.length; at < end; at++) {
    const digit = body[at]! - ZERO
    if (digit < 0 || digit > 9) return 0
    seq = seq * 10 + digit
  }
  return seq
}

function readError(error: NonNullable<ReplyBody['error']>): Reply {
  const errCode = isWhole(error.err_code, 0) ? error.err_code : 0
  const description = isMatch(error.description, /./) ? error.description : `code ${error.code}`
  const because = AGAIN.get(errCode) ?? (error.code === 429 ? 'undecided' : undefined)
  if (because === undefined) return { kind: 'refused', errCode, status: error.code, description }
  return { kind: 'again', why: errCode === ERR_CODE.batchIncomplete ? INCOMPLETE : description, because }
}

/** Whether a refusal says that the stream's limits are reached. */
export function isFull(errCode: number, description: string): boolean {
  if (errCode === ERR_CODE.insufficientResources) return true
  return errCode === ERR_CODE.storeFailed && !description.includes('per subject')
}
