import type { Answer } from './answer.ts'
import type { AnswerSender } from './answer-sender.ts'
import { MOST_TIMEOUT_MS, type ReplyDef } from './reply.ts'
import type { ReplySession } from './reply-session.ts'
import type { ReplySessions } from './reply-sessions.ts'
import { type Incoming, REQUEST_HEADER, wholeNumber } from './wire.ts'

/** One request that was taken: how long there is for it, and how it is answered. */
export type Job = {
  readonly request: Incoming
  /** When its time is over here, by `performance.now()`. */
  readonly expiresAt: number
  /** When its requester gives up, by `performance.now()`: not before `expiresAt`. */
  readonly waitsUntil: number
  /** The time that was given, ms. */
  readonly timeoutMs: number
  readonly session: ReplySession | undefined
  /** Sends to the requester, or keeps it until the connection is back. */
  readonly send: (answer: Answer) => void
  /** Ends its stream, if it is one. */
  readonly close: () => void
}

export type JobDeps = { def: ReplyDef; sender: AnswerSender; sessions: ReplySessions }

/** Opens its stream, if it is one; whoever has the job closes it. */
export function jobOf({ def, sender, sessions }: JobDeps, request: Incoming): Job {
  // Whoever does not say how long it waits is told to the last.
  const asked = Math.min(wholeNumber(request.headers[REQUEST_HEADER.timeout]) ?? Infinity, MOST_TIMEOUT_MS)
  const timeoutMs = Math.min(asked, def.timeoutMs)
  const now = performance.now()
  const waitsUntil = now + asked
  const control = def.contract.streaming ? sessions.open(request) : undefined
  return {
    request,
    timeoutMs,
    expiresAt: now + timeoutMs,
    waitsUntil,
    session: control?.session,
    send: (answer) => sender.send(request.reply, answer, { control: control?.subject, expiresAt: waitsUntil }),
    close: () => control?.close(),
  }
}
