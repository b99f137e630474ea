/** What a publish that failed is told: what happened, whether it may be stored, and what to do. */
import { MeshError } from '../errors.ts'
import { isFull, PublishRefused } from './pub-ack.ts'

/** How far a publish came. */
export type Sent = {
  readonly request: { subject: string; timeoutMs: number; hasty?: boolean }
  sends: number
  /** Sends that were answered: not stored. */
  turnedAway: number
  /** Of these, such as met another message of their subject. */
  conflicts: number
  /** The last one that asks for it again; '' without one. */
  lastAnswer: string
}

type Refusal = { errCode: number; status?: number; description: string }

export function refusedError(sent: Sent, { errCode, status = 0, description }: Refusal): PublishRefused {
  const { subject } = sent.request
  const refusal = { errCode, status, resent: wasResent(sent) }
  if (isFull(errCode, description))
    return new PublishRefused(
      'MESH_STREAM_FULL',
      `the stream of ${subject} takes no more (${description}); nothing was stored. Raise its maxBytes, or find the handler that is behind`,
      refusal,
    )
  return new PublishRefused('MESH_PUBLISH_REFUSED', `${subject} was not stored: ${description} (${errCode})`, refusal)
}

/** Of one whose time is over, or that is in a hurry. */
export function timeoutError(sent: Sent, connected: boolean): MeshError {
  const { subject, timeoutMs } = sent.request
  if (connected && wasNeverTaken(sent) && sent.conflicts === 0) return noStreamError(sent)
  const answer = sent.lastAnswer === '' ? 'no answer' : `no better answer than “${sent.lastAnswer}”`
  const where = connected ? `${answer} came` : 'the server is away'
  const certainty = certaintyOf(sent)
  // nats-server 2.15 answers nothing for a write that failed, and goes on so after the disk has room again.
  const hint = connected
    ? '. If it stays so, see the server’s log and /healthz: a server whose disk was full needs a restart'
    : ''
  return new MeshError(
    'MESH_PUBLISH_TIMEOUT',
    `${subject}: ${where} within ${timeoutMs} ms, ${certainty}; publish again with the same id${hint}`,
  )
}

/** Whether a send before the last one may have been stored. */
export const wasResent = ({ sends, turnedAway }: Sent): boolean => sends - turnedAway > 1

function certaintyOf(sent: Sent): string {
  if (sent.sends === 0) return 'it was not sent'
  return wasNeverTaken(sent) ? 'it was not stored' : 'it may or may not be stored'
}

/** Upholds P6 of the pipeline. */
const wasNeverTaken = ({ sends, turnedAway }: Sent): boolean => sends > 0 && turnedAway === sends

function noStreamError({ request: { subject, timeoutMs, hasty = false }, lastAnswer }: Sent): MeshError {
  const within = hasty ? '' : ` within ${timeoutMs} ms`
  return new MeshError('MESH_NO_STREAM', `${subject} was not stored${within}: ${lastAnswer}`)
}

export function closedError(subject: string, cause?: unknown): MeshError {
  return new MeshError('MESH_CLOSED', `${subject} was not sent: the mesh is closed`, { cause })
}
