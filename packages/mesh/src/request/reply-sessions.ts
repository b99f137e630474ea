import { newId } from '../message/id.ts'
import { answerOf, numbered } from './answer.ts'
import type { AnswerSender } from './answer-sender.ts'
import type { AnyRequest } from './contract.ts'
import { ReplySession } from './reply-session.ts'
import type { Incoming } from './wire.ts'

export type ReplySessionsOptions = {
  contract: AnyRequest
  /** Subject under which each stream has one of its own. */
  control: string
  sender: AnswerSender
}

/** A stream that is open, and the subject on which its requester says what it takes. */
export type OpenSession = { session: ReplySession; subject: string; close: () => void }

/** The streams one reply sends in one process, and the control messages for them. */
export class ReplySessions {
  readonly #options: ReplySessionsOptions
  readonly #byToken = new Map<string, ReplySession>()

  constructor(options: ReplySessionsOptions) {
    this.#options = options
  }

  /** Where the control messages of all of them come. */
  get subject(): string {
    return `${this.#options.control}.*`
  }

  open(request: Incoming): OpenSession {
    const { contract, control, sender } = this.#options
    const token = newId()
    const subject = `${control}.${token}`
    const session = new ReplySession(request, (kind, part) =>
      sender.send(request.reply, numbered(answerOf(contract, kind), part), { control: subject }),
    )
    this.#byToken.set(token, session)
    const close = (): void => {
      session.close()
      this.#byToken.delete(token)
    }
    return { session, subject, close }
  }

  onControl({ subject, payload, isNoResponder }: Incoming): void {
    const session = this.#byToken.get(subject.slice(subject.lastIndexOf('.') + 1))
    // Parts name this subject for answers, and the server answers for whoever is not there.
    if (isNoResponder) session?.onGone()
    else session?.onControl(new TextDecoder().decode(payload.subarray(0, 64)))
  }
}
