import type { HandlerFacts, LetterFact } from './facts.ts'
import type { RunHop } from './run-records.ts'

/** What an event waits for, or what became of it; the gravest first. */
export const SITUATIONS = [
  // It says of the letter, too, that there is one.
  'behind-letter',
  'dead-letter',
  'expired',
  'given-up',
  'partition-full',
  'no-instance',
  'paused',
  'breaker-open',
  'asked-to-wait',
  'behind-key',
  'retry',
  'redriving',
  'replaying',
  'waiting',
  'in-hand',
  'discarded',
  'not-taken',
  'done',
] as const

export type Situation = (typeof SITUATIONS)[number]

/** One sentence about an event and a handler, and what to do next. */
export type Verdict = {
  readonly situation: Situation
  readonly sentence: string
  /** What to do, or to look at; undefined: nothing. */
  readonly next: string | undefined
}

/** Pure: the same facts, the same verdict. */
export function decide(facts: HandlerFacts): Verdict {
  return (
    ofRun(facts) ??
    ofLetter(facts) ??
    ofExpired(facts) ??
    ofGivenUp(facts) ??
    ofDone(facts) ??
    ofBlocked(facts) ??
    ofWaiting(facts) ??
    ofProgress(facts)
  )
}

/** Whether the first of two is the graver one. */
export const isGraver = (a: Situation, b: Situation): boolean => SITUATIONS.indexOf(a) < SITUATIONS.indexOf(b)

type Facts = HandlerFacts

const HOW_FAR = 'malha handlers list'

const said = (situation: Situation, sentence: string, next?: string): Verdict => ({ situation, sentence, next })

/** What became of it in the last run that sent it again. */
function lastRun({ runs }: Facts): string {
  const last = runs.at(-1)
  return last?.endedAt === undefined ? '' : `; run ${last.run} ${RESULTS[last.result]} at ${last.endedAt}`
}

const RESULTS: Readonly<Record<RunHop['result'], string>> = {
  'under-way': 'has it',
  ok: 'sent it again, and it was done',
  already: 'sent it again, and it was done before',
  failed: 'sent it again, and it failed again',
  gone: 'found nothing left to send',
}

const whose = ({ service, handler }: Facts): string => `${service}/${handler}`

/** What a run sent, and has no result of. */
function ofRun(facts: Facts): Verdict | undefined {
  const { inRun, event } = facts
  if (!inRun) return undefined
  const { run, kind, begunAt, waiting } = inRun
  const here = { ...facts, event: `${event}, in run ${run},` }
  const show = `malha runs show ${run}`
  const blocked = begunAt === undefined || waiting ? ofBlocked(here) : undefined
  if (blocked) return { ...blocked, next: blocked.next ?? show }
  const how = kind === 'redrive' ? 'redriving' : 'replaying'
  const retry = waiting ? { attempt: waiting.attempts + 1, dueAt: waiting.dueAt } : nextOfRun(facts, begunAt)
  if (retry)
    return said(
      how,
      `${here.event} waits for attempt ${retry.attempt} of ${whose(facts)} at ${retry.dueAt}${lastOf(facts)}`,
      show,
    )
  if (begunAt === undefined) return said(how, `${here.event} waits on the lane of ${whose(facts)} for its turn`, show)
  return said(how, `${here.event} is with ${whose(facts)} since ${begunAt}${lastOf(facts)}`, show)
}

/** The next attempt, where the process holds the message until then. */
function nextOfRun({ attempts, nowMs }: Facts, begunAt = ''): { attempt: number; dueAt: string } | undefined {
  const last = attempts.at(-1)
  if (!last?.nextAttemptAt || last.at < begunAt || Date.parse(last.nextAttemptAt) <= nowMs) return undefined
  return { attempt: last.attempt + 1, dueAt: last.nextAttemptAt }
}

function ofLetter(facts: Facts): Verdict | undefined {
  const { letter, event } = facts
  if (!letter) return undefined
  const { state, seq, run, who, why } = letter
  const at = letter.changedAt === undefined ? '' : ` at ${letter.changedAt}`
  const show = `malha dlq show ${seq}`
  if (state === 'resolved') return said('done', `${event} is done by ${whose(facts)}${at}, sent again by run ${run}`)
  if (state === 'late')
    return said('done', `${event} was done by ${whose(facts)}${at}, after letter ${seq} was written`)
  if (state === 'redriven')
    return said(
      'redriving',
      `${event} was sent to ${whose(facts)} again by run ${run}, which began with it${at}${lastOf(facts)}`,
      `malha runs show ${run}`,
    )
  if (state === 'discarded')
    return said('discarded', `${event} was discarded for ${whose(facts)} by ${who}${at}: ${why}`, show)
  return said(
    'dead-letter',
    `${event} is dead letter ${seq} of ${whose(facts)} (open): ${reasonOf(letter)}${lastRun(facts)}`,
    show,
  )
}

const reasonOf = ({ code, reason }: Pick<LetterFact, 'code' | 'reason'>): string =>
  reason === '' ? code : reason.startsWith(`${code}: `) ? reason : `${code}: ${reason}`

function ofExpired(facts: Facts): Verdict | undefined {
  const { expired, event, stream, isInStream, isAccounted, position, doneAt } = facts
  if (expired)
    return said(
      'expired',
      `${event} left ${stream} before ${whose(facts)} was done with it: letter ${expired.letter}, sequences ${expired.range}`,
      `malha dlq show ${expired.letter}`,
    )
  const isUndone = position.kind === 'ahead' || position.kind === 'unread' || !isAccounted
  if (isInStream || !isUndone || doneAt !== undefined) return undefined
  return said(
    'expired',
    `${event} left ${stream}, and ${whose(facts)} is not known to have been done with it; its letter is written once the handler is past it`,
    HOW_FAR,
  )
}

/** The server, for a limit that somebody set: its durable may be past it, and it is not done. */
function ofGivenUp(facts: Facts): Verdict | undefined {
  const { givenUpAt, doneAt, waiting, isQueued, event, service } = facts
  if (givenUpAt === undefined || doneAt !== undefined || waiting || isQueued) return undefined
  return said(
    'given-up',
    `${event} was given up by the server for ${whose(facts)} at ${givenUpAt}, because its durable had a max_deliver; it is brought back by a process that leads, or when ${service} starts`,
    `start ${service}, or restart its instances`,
  )
}

/** Ahead of what blocks a handler: what is done is not blocked. */
function ofDone(facts: Facts): Verdict | undefined {
  const { position, doneAt, waiting, isQueued, event } = facts
  if (position.kind === 'before') return said('not-taken', `${whose(facts)} began behind ${event}: ${position.since}`)
  const isDone = doneAt !== undefined || (position.kind === 'settled' && !waiting && !isQueued)
  if (!isDone) return undefined
  const at = doneAt === undefined ? '' : ` at ${doneAt}`
  return said('done', `${event} is done by ${whose(facts)}${at}${afterAttempts(facts)}${lastRun(facts)}`)
}

/** What keeps a handler from working at all. */
function ofBlocked(facts: Facts): Verdict | undefined {
  const { live, event, isPulled, service, position } = facts
  if (live.paused) {
    const { who, until, reason } = live.paused
    const end = until === null ? '' : ` until ${until}`
    return said(
      'paused',
      `${event} waits: ${whose(facts)} is paused by ${who}${end} (${reason})`,
      `malha handlers resume ${whose(facts)}`,
    )
  }
  // What is delivered may be in the hands of one that could not be asked.
  const isInHand = live.instances === undefined && position.kind === 'delivered'
  if (!isPulled && !live.instances && !isInHand)
    return said(
      'no-instance',
      `${event} waits: no instance of ${service} pulls for ${whose(facts)}${lastOf(facts)}`,
      `start ${service}, or see why it does not come up`,
    )
  if (live.breaker) {
    const { since, probeAt } = live.breaker
    const probe = probeAt === null ? '' : ` and tries one message at ${probeAt}`
    return said(
      'breaker-open',
      `${event} waits: the breaker of ${whose(facts)} is open since ${since}${probe}${lastOf(facts)}`,
      'see that what it calls is back; what waits goes on by itself then',
    )
  }
  if (!live.delayedUntil) return undefined
  return said(
    'asked-to-wait',
    `${event} waits: what ${whose(facts)} calls asked to be left alone until ${live.delayedUntil}${lastOf(facts)}`,
  )
}

/** What it itself waits for. */
function ofWaiting(facts: Facts): Verdict | undefined {
  const { position, event, waiting, isQueued, attempts, nowMs } = facts
  if (position.kind === 'behind-letter') {
    const { seq, letter } = position
    const which = letter === undefined ? `the dead letter of sequence ${seq}` : `dead letter ${letter}`
    return said(
      'behind-letter',
      `${event} is held behind ${which} of its key in ${whose(facts)}, until that is redriven with success or discarded`,
      letter === undefined ? 'malha dlq list --state open' : `malha dlq show ${letter}`,
    )
  }
  if (position.kind === 'behind') {
    const { seq, id, retry } = position
    const due = retry ? `, which waits for attempt ${retry.attempts + 1} at ${isoOf(retry.dueAt)}` : ''
    return said(
      'behind-key',
      `${event} waits behind sequence ${seq} of its key in ${whose(facts)}${due}`,
      id === undefined ? undefined : `malha why ${id}`,
    )
  }
  const retry = (attempt: number, dueAt: string): Verdict =>
    said('retry', `${event} waits for attempt ${attempt} of ${whose(facts)} at ${dueAt}${lastOf(facts)}`)
  if (position.kind === 'held' && position.retry) return retry(position.retry.attempts + 1, isoOf(position.retry.dueAt))
  if (waiting) return retry(waiting.attempts + 1, waiting.dueAt)
  const last = attempts.at(-1)
  if (last?.nextAttemptAt && Date.parse(last.nextAttemptAt) > nowMs) return retry(last.attempt + 1, last.nextAttemptAt)
  if (!isQueued) return undefined
  return said('in-hand', `${event} is due on the lane of ${whose(facts)}: it is in hand, or next${lastOf(facts)}`)
}

/** How far its handler is. */
function ofProgress(facts: Facts): Verdict {
  const { position, event, stream, service } = facts
  if (position.kind === 'ahead')
    return said(
      'waiting',
      `${event} was not delivered to ${whose(facts)} yet: ${position.before} before it in ${stream} at most`,
      HOW_FAR,
    )
  if (position.kind === 'unread' && facts.live.fullPartitions.includes(position.partition)) {
    const { partition, keysBehindLetters: held } = position
    const behind = held === 0 ? '' : `, ${held} of them behind dead letters`
    return said(
      'partition-full',
      `${event} was not read by ${whose(facts)} yet: partition ${partition} reads nothing new, because as many of its keys wait as may${behind}`,
      held === 0 ? HOW_FAR : `malha dlq list --state open --service ${service} --handler ${facts.handler}`,
    )
  }
  if (position.kind === 'unread')
    return said(
      'waiting',
      `${event} was not read by ${whose(facts)} yet, which is at sequence ${position.read} of ${stream}`,
      HOW_FAR,
    )
  if (position.kind === 'nowhere')
    return said(
      'waiting',
      `${event} was not delivered to ${whose(facts)}: its durable on ${stream} is missing, and is made again when ${service} starts`,
      `start ${service}`,
    )
  return said(
    'in-hand',
    `${event} was delivered to ${whose(facts)}, which has it in hand or has just done it${lastOf(facts)}`,
  )
}

const isoOf = (ms: number): string => new Date(ms).toISOString()

function lastOf({ attempts }: Facts): string {
  const last = attempts.at(-1)
  return last ? ` (attempt ${last.attempt} failed: ${reasonOf({ code: last.code, reason: last.message })})` : ''
}

function afterAttempts({ attempts }: Facts): string {
  const failed = attempts.at(-1)?.attempt ?? 0
  return failed === 0 ? '' : `, after ${failed} failed ${failed === 1 ? 'attempt' : 'attempts'}`
}
