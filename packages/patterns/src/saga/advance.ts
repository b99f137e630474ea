import { days } from '@malha/mesh'
import { PatternsError } from '../errors.ts'
import {
  type Done,
  isForgotten,
  KEPT_HANDLED,
  remembered,
  SAGA_FORMAT,
  type SagaRecord,
  type Sent,
  type Standing,
} from './record.ts'
import type { Next, Occasion, SagaDef, SagaStep, Send, TimeoutData } from './saga.ts'

/** An event for one saga. */
export type Arrival = {
  readonly sagaId: string
  /** Name of the step. */
  readonly name: string
  readonly data: unknown
  readonly occasion: Occasion
  readonly source: Standing
  /** Unix ms. */
  readonly now: number
}

/** What an event comes to: a new record and what is to be sent, what was sent before, or nothing. */
export type Advance<State> =
  | { readonly kind: 'write'; readonly record: SagaRecord<State>; readonly sends: readonly Sent[] }
  | { readonly kind: 'again'; readonly sends: readonly Sent[] }
  | { readonly kind: 'pass'; readonly why: string }

/**
 * The saga after an event. Pure: what it sends is in the record it returns, so that an event that comes again is answered
 * with the same.
 * @throws PatternsError PATTERNS_SAGA_NOT_BEGUN | PATTERNS_SAGA_WAITS | PATTERNS_SAGA_BEGAN_BEFORE |
 * PATTERNS_SAGA_TOO_LATE | PATTERNS_INVALID_STEP
 */
export function advance<State>(
  def: SagaDef<State>,
  record: SagaRecord<State> | undefined,
  arrival: Arrival,
): Advance<State> {
  const one = def.steps[arrival.name]!
  const known = record?.handled.find(({ id, type }) => id === arrival.occasion.id && type === arrival.occasion.type)
  if (known) return { kind: 'again', sends: known.sends }
  if (record === undefined) return withoutSaga(def, one, arrival)
  if (one.kind === 'timed-out') return onTimeout(def, { record, one, arrival })
  if (isForgotten(record, arrival.source)) throw tooLate(def, arrival)
  if (one.kind === 'undone') return onUndone(def, { record, one, arrival })
  if (record.status !== 'running') return onLate(def, { record, one, arrival })
  if (one.kind === 'step') {
    const done: Done[] = one.undo
      ? [{ step: arrival.name, undo: sent(def, arrival, one.undo(arrival.data as never)) }]
      : []
    const next = one.run(record.state, arrival.data as never, arrival.occasion)
    return moved(def, arrival, { record: { ...record, done: [...record.done, ...done] }, next })
  }
  const again = againOf(def, { record, one, arrival })
  return moved(def, arrival, { record, next: again(record.state, arrival.data as never, arrival.occasion) })
}

type At<State, Kind> = {
  record: SagaRecord<State>
  one: Extract<SagaStep<State>, { kind: Kind }>
  arrival: Arrival
}

function withoutSaga<State>(def: SagaDef<State>, one: SagaStep<State>, arrival: Arrival): Advance<State> {
  if (one.kind === 'begins') {
    const next = one.run(arrival.data as never, arrival.occasion)
    return moved(def, arrival, { record: newRecord(def, arrival, next.state), next })
  }
  const { type } = arrival.occasion
  if (one.kind === 'timed-out' || one.kind === 'undone' || one.absent === 'ignore')
    return { kind: 'pass', why: `there is no saga ${arrival.sagaId}` }
  const detail = `${type} is for saga ${def.name} ${arrival.sagaId}, which never began`
  if (one.absent === 'wait') throw new PatternsError('PATTERNS_SAGA_WAITS', `${detail}; it waits until it does`)
  throw new PatternsError(
    'PATTERNS_SAGA_NOT_BEGUN',
    `${detail}. See where the event that begins it is; or say with absent what becomes of such events`,
  )
}

/** What a second event that would begin the saga means for it. */
function againOf<State>(
  def: SagaDef<State>,
  { record, one, arrival }: At<State, 'begins'>,
): NonNullable<typeof one.again> {
  if (one.again) return one.again
  throw new PatternsError(
    'PATTERNS_SAGA_BEGAN_BEFORE',
    `saga ${def.name} ${arrival.sagaId} was begun before, by ${record.handled[0]?.id ?? 'another event'}; ${arrival.occasion.type} may begin it once. Say what a second one means with again`,
  )
}

/** Only the time-out that was set last, and only while the saga runs. */
function onTimeout<State>(def: SagaDef<State>, { record, one, arrival }: At<State, 'timed-out'>): Advance<State> {
  const { arm } = arrival.data as TimeoutData
  const timer = record.timers[one.name]
  if (timer?.arm !== arm) return { kind: 'pass', why: `time-out ${one.name} was taken back or set anew` }
  const { [one.name]: _, ...timers } = record.timers
  if (record.status !== 'running') return { kind: 'pass', why: 'the saga does not run any more' }
  return moved(def, arrival, {
    record: { ...record, timers },
    next: one.run(record.state, undefined, arrival.occasion),
  })
}

function onUndone<State>(def: SagaDef<State>, { record, one, arrival }: At<State, 'undone'>): Advance<State> {
  if (record.undoing !== one.step) return { kind: 'pass', why: `nothing of step ${one.step} is being undone` }
  const { undoing: _, ...rest } = record
  const done = withoutLast(record.done, one.step)
  return finish(def, arrival, undoNext(def, { ...rest, done }))
}

/** What is done late, after the saga has turned back, is undone as well. Anything else comes too late. */
function onLate<State>(def: SagaDef<State>, { record, one, arrival }: At<State, 'begins' | 'step'>): Advance<State> {
  if (one.kind === 'begins') againOf(def, { record, one, arrival })
  const isTurnedBack = record.status === 'compensating' || record.turnedBack === true
  if (one.kind !== 'step' || one.undo === undefined || !isTurnedBack)
    return { kind: 'pass', why: `the saga is ${record.status}${record.outcome ? ` (${record.outcome})` : ''}` }
  const undo = sent(def, arrival, one.undo(arrival.data as never))
  // What is being undone stands last: its confirmation takes it from there, and it may be of the same step.
  const done = record.done.toSpliced(record.undoing === undefined ? record.done.length : -1, 0, {
    step: arrival.name,
    undo,
  })
  const reopened = { ...record, status: 'compensating' as const, done }
  // What is being undone now is confirmed first.
  return finish(def, arrival, record.undoing === undefined ? undoNext(def, reopened) : { record: reopened, sends: [] })
}

type Moved<State> = { record: SagaRecord<State>; sends: readonly Sent[] }

function moved<State>(
  def: SagaDef<State>,
  arrival: Arrival,
  { record, next }: { record: SagaRecord<State>; next: Next<State> },
): Advance<State> {
  if (next.end !== undefined && next.compensate !== undefined)
    throw invalid(def, arrival, 'it both ends and compensates; say one')
  const direct = (next.send ?? []).map((one) => sent(def, arrival, one))
  const timed = withTimers(def, arrival, { record: { ...record, state: next.state }, timeouts: next.timeouts ?? {} })
  const sends = [...direct, ...timed.sends]
  if (next.end !== undefined)
    return finish(def, arrival, {
      record: { ...timed.record, status: 'ended', outcome: next.end, timers: {} },
      sends: direct,
    })
  if (next.compensate === undefined) return finish(def, arrival, { record: timed.record, sends })
  const turned = {
    ...timed.record,
    status: 'compensating' as const,
    outcome: next.compensate,
    turnedBack: true as const,
    timers: {},
  }
  const undoing = undoNext(def, turned)
  return finish(def, arrival, { record: undoing.record, sends: [...direct, ...undoing.sends] })
}

/** Sends what undoes the last that was done. Steps without a confirmation are undone in one go. */
function undoNext<State>(def: SagaDef<State>, record: SagaRecord<State>): Moved<State> {
  const sends: Sent[] = []
  let { done } = record
  for (;;) {
    const last = done.at(-1)
    if (last === undefined) return { record: { ...record, status: 'ended', done }, sends }
    sends.push(last.undo)
    if (isConfirmed(def, last.step)) return { record: { ...record, done, undoing: last.step }, sends }
    done = done.slice(0, -1)
  }
}

function isConfirmed<State>({ steps }: SagaDef<State>, step: string): boolean {
  return Object.values(steps).some((one) => one.kind === 'undone' && one.step === step)
}

function withoutLast(done: readonly Done[], step: string): readonly Done[] {
  const at = done.findLastIndex((one) => one.step === step)
  return done.filter((_, index) => index !== at)
}

/** The mesh delays nothing for longer. */
const MOST_MS = days(100 * 365)
/** With its marker a batch holds 1000; some are left for what undoes several steps at once. */
const MOST_SENDS = 900

function withTimers<State>(
  def: SagaDef<State>,
  arrival: Arrival,
  { record, timeouts }: { record: SagaRecord<State>; timeouts: Readonly<Record<string, number | null>> },
): Moved<State> {
  const sends: Sent[] = []
  const timers = { ...record.timers }
  let { armed } = record
  for (const [name, ms] of Object.entries(timeouts)) {
    delete timers[name]
    if (ms === null) continue
    if (!Object.values(def.steps).some((one) => one.kind === 'timed-out' && one.name === name))
      throw invalid(
        def,
        arrival,
        `it sets the time-out ${name}, for which there is no step; declare one with timedOut(…)`,
      )
    if (!(ms >= 0 && ms <= MOST_MS))
      throw invalid(def, arrival, `time-out ${name} is ${ms} ms; from 0 to ${MOST_MS} (100 years)`)
    armed += 1
    const dueAt = new Date(arrival.now + ms).toISOString()
    timers[name] = { arm: armed, dueAt }
    const data: TimeoutData = { sagaId: arrival.sagaId, name, arm: armed }
    sends.push({ type: def.timeout!.type, data, inMs: ms })
  }
  return { record: { ...record, timers, armed }, sends }
}

function finish<State>(def: SagaDef<State>, arrival: Arrival, { record, sends }: Moved<State>): Advance<State> {
  const { id, type, at } = arrival.occasion
  if (sends.length > MOST_SENDS)
    throw invalid(def, arrival, `it sends ${sends.length} messages at once; ${MOST_SENDS} at most`)
  return {
    kind: 'write',
    sends,
    record: {
      ...record,
      ...remembered(record, { id, type, sends, source: arrival.source }),
      version: def.version,
      movedAt: new Date(arrival.now).toISOString(),
      lastEvent: { id, type, at: at.toISOString() },
    },
  }
}

/** What is published is what the record holds: the same the first time and any other. */
function sent<State>(def: SagaDef<State>, arrival: Arrival, { contract, data }: Send): Sent {
  if (def.sends.get(contract.type) !== contract)
    throw invalid(def, arrival, `it sends ${contract.type}, which is not among the saga’s sends; add it there`)
  const text = JSON.stringify(data) as string | undefined
  if (text === undefined) throw invalid(def, arrival, `it sends ${contract.type} with data that has no form in JSON`)
  return { type: contract.type, data: JSON.parse(text) as unknown }
}

function tooLate<State>(def: SagaDef<State>, { sagaId, occasion, source }: Arrival): PatternsError {
  return new PatternsError(
    'PATTERNS_SAGA_TOO_LATE',
    `${occasion.type} at sequence ${source.seq} stands before what saga ${def.name} ${sagaId} remembers, which is the last ${KEPT_HANDLED} events: whether it was handled then cannot be told. See whether it was; if not, have it published anew`,
  )
}

function invalid<State>(def: SagaDef<State>, { name, sagaId }: Arrival, fault: string): PatternsError {
  return new PatternsError('PATTERNS_INVALID_STEP', `saga ${def.name} ${sagaId}, step ${name}: ${fault}`)
}

function newRecord<State>(def: SagaDef<State>, arrival: Arrival, state: State): SagaRecord<State> {
  const now = new Date(arrival.now).toISOString()
  return {
    v: SAGA_FORMAT,
    saga: def.name,
    id: arrival.sagaId,
    version: def.version,
    status: 'running',
    state,
    done: [],
    timers: {},
    armed: 0,
    handled: [],
    beganAt: now,
    movedAt: now,
    lastEvent: { id: arrival.occasion.id, type: arrival.occasion.type, at: arrival.occasion.at.toISOString() },
  }
}
