import { Busy, type Disposition, MeshError, type MeshErrorCode, RetryAfter } from '../errors.ts'

/** What follows from an error of a handler. */
export type Verdict = {
  action: 'retry' | 'dead-letter'
  /** Stable code, or the class of the user's error. */
  code: string
  /** One line or a few for people; may hold what the user's error says. */
  message: string
  /** For the breaker: did the other side fail? */
  counts: boolean
  /** Only time or a release can mend it (the broker is away, a newer version): never exhausted by a count of attempts. */
  isPatient: boolean
  /** The other side named a time. */
  delayMs: number | undefined
}

/** Codes that say that the other side of a call failed, as an error of the user's own client would. */
const OTHER_SIDE: ReadonlySet<MeshErrorCode> = new Set([
  'MESH_HANDLER_TIMEOUT',
  'MESH_NO_RESPONDER',
  'MESH_REQUEST_TIMEOUT',
  'MESH_REQUEST_FAILED',
  'MESH_REPLY_BROKEN',
])

/** The one place where errors become decisions. */
export function classify(error: unknown): Verdict {
  const base = { code: codeOf(error), message: messageOf(error), delayMs: undefined, isPatient: false }
  if (error instanceof RetryAfter) return { ...base, action: 'retry', counts: false, delayMs: error.delayMs }
  if (error instanceof Busy) return { ...base, action: 'retry', counts: false, delayMs: error.retryAfterMs }
  const disposition = dispositionOf(error)
  if (disposition !== undefined) {
    const isTerminal = disposition === 'terminal'
    const isOtherSide = error instanceof MeshError && OTHER_SIDE.has(error.code)
    return {
      ...base,
      action: isTerminal ? 'dead-letter' : 'retry',
      counts: isOtherSide,
      isPatient: !isTerminal && !isOtherSide,
    }
  }
  return { ...base, action: 'retry', counts: true }
}

/** A library on top of the mesh may say of its own errors what becomes of the message, as the mesh does of its. */
function dispositionOf(error: unknown): Disposition | undefined {
  if (error instanceof MeshError) return error.disposition
  if (!(error instanceof Error) || !('disposition' in error)) return undefined
  const { disposition } = error
  return disposition === 'terminal' || disposition === 'retry' ? disposition : undefined
}

/** Whether the other side refused the connection: the surest sign that it is away. Looks through causes. */
export function isConnectionRefused(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if ((at as { code?: unknown }).code === 'ECONNREFUSED') return true
    if (at instanceof AggregateError && at.errors.some(isConnectionRefused)) return true
  }
  return false
}

function codeOf(error: unknown): string {
  if (error instanceof MeshError) return error.code
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const { code } = at as { code?: unknown }
    if (typeof code === 'string' && /^[\w.-]{1,64}$/.test(code)) return code
  }
  return error instanceof Error ? error.constructor.name : 'NotAnError'
}

/** The message with its causes: "fetch failed" alone says nothing. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return `something that is no Error was thrown: ${textOf(error).slice(0, 200)}`
  const parts: string[] = []
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    const said = at.message ? textOf(at.message) : ''
    if (said !== '' && !parts.includes(said)) parts.push(said)
  }
  return parts.join(': ').slice(0, 2000) || error.name
}

/** What is thrown can be anything, and so can a message: some make errors out of JSON bodies. Their fields may be secrets. */
function textOf(value: unknown): string {
  try {
    return String(value)
  } catch {
    return Object.prototype.toString.call(value)
  }
}
