import { context as otelContext, trace } from '@opentelemetry/api'
import type { Delivery } from '../consume/delivery.ts'
import { MeshError } from '../errors.ts'
import { chain, type Maybe, recover } from '../maybe.ts'
import { covers } from '../message/contract.ts'
import { decodeEvent } from '../message/decode-event.ts'
import { type Envelope, envelopeOf } from '../message/envelope.ts'
import { isSubjectOf } from '../message/key.ts'
import { ReceivedContext } from '../observe/received-context.ts'
import { processSpan } from '../observe/process-spans.ts'
import { failSpan, linkable, tellRepeated, tracing } from '../observe/spans.ts'
import { tellStage } from '../observe/stages.ts'
import { claim } from '../run/record.ts'
import type { RunOf } from '../run/run-headers.ts'
import { Attempt, type AttemptDeps, timeoutError } from './attempt.ts'
import { callHandler, type Called } from './call-handler.ts'
import type { HandlerDef } from './define.ts'
import { type Inbox, type InboxMessage, recordHandled, wasHandled } from './inbox.ts'

/** What a delivered message is: for this handler, another type's event that shares its filter, or unreadable. */
export type Identity =
  | { kind: 'ours'; envelope: Envelope }
  | { kind: 'foreign' }
  | { kind: 'unreadable'; error: unknown }

/** How an attempt ended. A `leaked` one never came back; its function may still be running. */
export type AttemptOutcome = { kind: 'done' } | { kind: 'failed'; error: unknown } | { kind: 'leaked' }

/** What a message says of itself, or why it cannot be read. */
export function identify(deps: AttemptDeps, delivery: Delivery): Identity {
  const { source } = deps.def
  if (delivery.isMisplaced) return { kind: 'unreadable', error: misplaced() }
  // A topic of everything takes the markers in its stream too.
  if (source.kind === 'topic' && covers(deps.names.doneMarkers(source.stream), delivery.source.subject))
    return { kind: 'foreign' }
  try {
    const envelope = envelopeOf(delivery)
    const isOurs = source.kind === 'topic' ? covers(source.pattern, envelope.type) : envelope.type === source.type
    if (isOurs) return { kind: 'ours', envelope }
    const subject = deps.names.strip(delivery.source.subject)
    const isForeign = source.kind === 'topic' ? isSubjectOf(envelope.type, subject) : !isSubjectOf(source.type, subject)
    if (isForeign) return { kind: 'foreign' }
    return { kind: 'unreadable', error: unknownType(envelope.type, deps.def) }
  } catch (error) {
    return { kind: 'unreadable', error }
  }
}

const DONE: AttemptOutcome = { kind: 'done' }
const LEAKED: AttemptOutcome = { kind: 'leaked' }

/**
 * One attempt: decode, call the handler inside its span, publish its outputs. Never throws. Where nothing has to be waited
 * for, it is over when this returns.
 */
export function runAttempt(deps: AttemptDeps, delivery: Delivery, envelope: Envelope): Maybe<AttemptOutcome> {
  const how = tracing()
  if (how !== 'none') return recover(() => (how === 'recorded' ? inSpan : inTrace)(deps, delivery, envelope), failed)
  delivery.previousAttempt = undefined
  return begin(new Attempt(deps, delivery, envelope))
}

/** Without a span of its own: what the handler publishes is of the trace that the message came in. */
function inTrace(deps: AttemptDeps, delivery: Delivery, envelope: Envelope): Maybe<AttemptOutcome> {
  const context = new ReceivedContext(delivery)
  delivery.previousAttempt = undefined
  const outcome = otelContext.with(context, begin, undefined, new Attempt(deps, delivery, envelope, context))
  if (!(outcome instanceof Promise) && outcome.kind === 'done') return outcome
  const published = trace.getSpanContext(context)
  delivery.previousAttempt = published && linkable(published)
  return outcome
}

function inSpan(deps: AttemptDeps, delivery: Delivery, envelope: Envelope): Maybe<AttemptOutcome> {
  const { span, context } = processSpan({
    envelope,
    message: delivery,
    durable: deps.names.durable(deps.service, deps.handler),
    subject: delivery.source.subject,
    stream: delivery.source.stream,
    seq: delivery.source.seq,
    attempt: delivery.attempts,
    claim: delivery.claim,
    deliveryCount: delivery.deliveryCount,
    publishedAt: delivery.source.publishedAt,
    previous: delivery.previousAttempt,
    run: delivery.run,
  })
  delivery.previousAttempt = linkable(span.spanContext())
  const attempt = new Attempt(deps, delivery, envelope)
  return chain(
    otelContext.with(context, () => begin(attempt)),
    (outcome) => {
      if (outcome.kind === 'failed') failSpan(span, outcome.error)
      if (outcome.kind === 'leaked') failSpan(span, timeoutError(deps))
      span.end()
      return outcome
    },
  )
}

function begin(attempt: Attempt): Maybe<AttemptOutcome> {
  try {
    const outcome = attempt.delivery.run ? ifClaimed(attempt, attempt.delivery.run) : unlessDone(attempt)
    if (outcome instanceof Promise) return ending(attempt, outcome)
    attempt.end()
    return outcome
  } catch (error) {
    attempt.end()
    return failed(error)
  }
}

async function ending(attempt: Attempt, outcome: Promise<AttemptOutcome>): Promise<AttemptOutcome> {
  try {
    return await outcome
  } catch (error) {
    return failed(error)
  } finally {
    attempt.end()
  }
}

const failed = (error: unknown): AttemptOutcome => ({ kind: 'failed', error })

/** What another copy of it has, or was done with before, is not handled. */
async function ifClaimed(attempt: Attempt, run: RunOf): Promise<AttemptOutcome> {
  const { publisher, names, log } = attempt.deps
  const { nc, pipeline } = publisher
  if (!(await claim({ nc, pipeline, names, log }, run, attempt.delivery.deliveryCount === 1))) return DONE
  attempt.startedAt = performance.now()
  return await unlessDone(attempt)
}

function unlessDone(attempt: Attempt): Maybe<AttemptOutcome> {
  return attempt.deps.def.inbox ? unlessHandled(attempt) : handle(attempt)
}

async function unlessHandled(attempt: Attempt): Promise<AttemptOutcome> {
  const { deps } = attempt
  if (!(await wasHandled(inboxOf(deps), messageOf(attempt)))) return await handle(attempt)
  tellRepeated('inbox')
  if (attempt.delivery.run) attempt.delivery.run.already = 'inbox'
  deps.publisher.metrics.repeated({ service: deps.service, handler: deps.handler }, 'inbox')
  return DONE
}

function handle(attempt: Attempt): Maybe<AttemptOutcome> {
  const data = dataOf(attempt)
  if (data instanceof Promise || attempt.claim) return handleLater(attempt, data)
  attempt.data = data
  return call(attempt)
}

/** Decoding took a moment, in which the process may have been stopped for long. */
async function handleLater(attempt: Attempt, data: unknown): Promise<AttemptOutcome> {
  attempt.data = await data
  await attempt.claim?.confirm()
  attempt.startedAt = performance.now()
  return call(attempt)
}

function dataOf({ deps, delivery, envelope }: Attempt): Maybe<unknown> {
  const { source } = deps.def
  return source.kind === 'topic' ? rawData(delivery.payload) : decodeEvent(source, envelope, delivery.payload)
}

function call(attempt: Attempt): Maybe<AttemptOutcome> {
  const called = attempt.deps.guard(callHandler, attempt)
  return called instanceof Promise ? called.then((how) => onCalled(attempt, how)) : onCalled(attempt, called)
}

function onCalled(attempt: Attempt, called: Called): Maybe<AttemptOutcome> {
  return called === 'leaked' ? LEAKED : conclude(attempt)
}

/** Stores what a call published that ended well after it was given up. @throws what could not be stored */
export async function storeLate(attempt: Attempt): Promise<void> {
  await store(attempt)
}

function conclude(attempt: Attempt): Maybe<AttemptOutcome> {
  const { deps, delivery, claim, hasOutputs } = attempt
  tellStage('returned', deps, delivery)
  if (deps.def.shadow) return withhold(attempt)
  if (claim || hasOutputs || deps.def.inbox) return store(attempt)
  attempt.takeOutputs()
  tellStage('stored', deps, delivery)
  return DONE
}

/** A shadow leaves nothing behind but what its run tells. */
async function withhold(attempt: Attempt): Promise<AttemptOutcome> {
  const { run } = attempt.delivery
  const withheld = (await attempt.takeOutputs()?.withhold()) ?? {}
  if (run) run.withheld = withheld
  return DONE
}

async function store(attempt: Attempt): Promise<AttemptOutcome> {
  const { deps, delivery, claim } = attempt
  await claim?.confirm()
  await attempt.takeOutputs()?.send()
  if (deps.def.inbox) await recordHandled(inboxOf(deps), messageOf(attempt))
  tellStage('stored', deps, delivery)
  return DONE
}

function inboxOf({ def, publisher, names, log, service, handler, stopping }: AttemptDeps): Inbox {
  return { publisher, names, log, service, handler, stopping, keepMs: def.inbox!.keepMs }
}

const messageOf = ({ envelope, delivery }: Attempt): InboxMessage => ({ envelope, payload: delivery.payload })

/** A topic has no contract: JSON is given parsed, anything else as bytes. */
function rawData(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)) as unknown
  } catch {
    return payload
  }
}

const misplaced = (): MeshError =>
  new MeshError(
    'MESH_UNDECODABLE',
    'a message on the lane of this handler does not say which event it is a retry of (docs/reference/wire.md); only the mesh may publish there',
  )

function unknownType(type: string, def: HandlerDef): MeshError {
  const expected = def.source.kind === 'topic' ? def.source.pattern : def.source.type
  return new MeshError(
    'MESH_UNKNOWN_TYPE',
    `a message of type ${JSON.stringify(type.slice(0, 128))} came on a subject of ${expected}`,
  )
}
