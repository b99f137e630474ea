import {
  type AnyContract,
  type Contract,
  event,
  isDeclared,
  isMatch,
  isObject,
  isWhole,
  isWithin,
  minutes,
  shown,
  type StreamDef,
} from '@malha/mesh'
import { faultsError } from '../errors.ts'

/** One message a saga sends: a command, or an event of its own. Its data must survive JSON: it is kept in the saga's record. */
export type Send = { readonly contract: AnyContract; readonly data: unknown }

/** A message to send, its data checked by the type of its contract. */
export function send<In, Out>(contract: Contract<In, Out>, data: In): Send {
  return { contract, data }
}

/** Where a saga goes from here. Plain data: nothing has happened when a step returns it. */
export type Next<State> = {
  /** What the saga knows from now on. Must survive JSON. */
  state: State
  /** What is to be done now. @default nothing */
  send?: readonly Send[]
  /** Time-outs by name, ms from now; `null` takes one back. Setting one again replaces it. @default as they are */
  timeouts?: Readonly<Record<string, number | null>>
  /** The saga is over, with this outcome. */
  end?: string
  /** Undo what was done, the last first; then the saga is over, with this outcome. */
  compensate?: string
}

/** What a step may know of the event it is about. */
export type Occasion = {
  /** The event's `ce-id`. */
  readonly id: string
  readonly type: string
  readonly correlationId: string
  /** When it was stored. */
  readonly at: Date
}

type Whose<Out> = {
  /** Whose event it is: the id of a saga. @default the event's key */
  id?: (data: Out) => string
}

export type StepOptions<Out> = Whose<Out> & {
  /** What undoes what this event says was done: sent when the saga compensates, also when the event comes late. */
  undo?: (data: Out) => Send
  /**
   * What becomes of the event where there is no saga of its id: a dead letter, or it waits until there is one, or it is
   * passed over. @default 'dead-letter'
   */
  absent?: 'dead-letter' | 'wait' | 'ignore'
}

export type BeginOptions<State, Out> = Whose<Out> & {
  /** What the event means for a saga that has begun already. @default a dead letter, PATTERNS_SAGA_BEGAN_BEFORE */
  again?: (state: State, data: Out, occasion: Occasion) => Next<State>
}

/** What a saga does about one event, as declared data. */
export type SagaStep<State> =
  | {
      readonly kind: 'begins'
      readonly contract: AnyContract
      readonly idOf: IdOf
      readonly run: (data: never, occasion: Occasion) => Next<State>
      readonly again: ((state: State, data: never, occasion: Occasion) => Next<State>) | undefined
    }
  | {
      readonly kind: 'step'
      readonly contract: AnyContract
      readonly idOf: IdOf
      readonly absent: 'dead-letter' | 'wait' | 'ignore'
      readonly undo: ((data: never) => Send) | undefined
      readonly run: (state: State, data: never, occasion: Occasion) => Next<State>
    }
  | { readonly kind: 'undone'; readonly contract: AnyContract; readonly idOf: IdOf; readonly step: string }
  | {
      readonly kind: 'timed-out'
      readonly name: string
      readonly run: (state: State, data: undefined, occasion: Occasion) => Next<State>
    }

/** Undefined: the event's key. */
type IdOf = ((data: never) => string) | undefined

/** The event that begins a saga. A step is a pure function: it may run again with the same event. */
export function begins<State, In, Out>(
  contract: Contract<In, Out>,
  run: (data: Out, occasion: Occasion) => Next<NoInfer<State>>,
  options: BeginOptions<NoInfer<State>, Out> = {},
): SagaStep<State> {
  return { kind: 'begins', contract, idOf: options.id, run, again: options.again }
}

/** What a saga that runs does about an event. A step is a pure function: it may run again with the same event. */
export function step<State, In, Out>(
  contract: Contract<In, Out>,
  run: (state: NoInfer<State>, data: Out, occasion: Occasion) => Next<NoInfer<State>>,
  options: StepOptions<Out> = {},
): SagaStep<State> {
  return {
    kind: 'step',
    contract,
    idOf: options.id,
    absent: options.absent ?? 'dead-letter',
    undo: options.undo,
    run,
  }
}

/** The event that says that what `stepName` did is undone. A step without one is taken as undone when its `undo` is sent. */
export function undone<State, In, Out>(
  contract: Contract<In, Out>,
  stepName: string,
  options: Whose<Out> = {},
): SagaStep<State> {
  return { kind: 'undone', contract, idOf: options.id, step: stepName }
}

/** What a saga does when the time-out `name`, set by a step before, is over. */
export function timedOut<State>(
  name: string,
  run: (state: NoInfer<State>, data: undefined, occasion: Occasion) => Next<NoInfer<State>>,
): SagaStep<State> {
  return { kind: 'timed-out', name, run }
}

/** What a saga sends to itself, for later. */
export type TimeoutData = { sagaId: string; name: string; arm: number }

/** The contract of a saga's time-outs: an event of its own, e.g. `sagaTimeout('order-saga.timed-out', orders)`. */
export function sagaTimeout(type: string, stream: StreamDef): Contract<TimeoutData> {
  return event<TimeoutData>(type, { stream, schema: timeoutSchema, key: ({ sagaId }) => sagaId })
}

const timeoutSchema: Contract<TimeoutData>['schema'] = {
  '~standard': {
    version: 1,
    vendor: 'malha',
    validate(value) {
      const { sagaId, name, arm } = (value ?? {}) as Partial<TimeoutData>
      if (typeof sagaId === 'string' && typeof name === 'string' && Number.isSafeInteger(arm))
        return { value: { sagaId, name, arm: arm! } }
      return { issues: [{ message: 'sagaId and name are text, arm is a whole number' }] }
    },
  },
}

export type SagaOptions<State> = {
  /** What it does about which event. The names are those of its handlers: a renamed one begins anew. */
  steps: Readonly<Record<string, SagaStep<State>>>
  /** All it may send, undoing included. */
  sends: readonly AnyContract[]
  /** Needed where a step sets a time-out. */
  timeout?: Contract<TimeoutData>
  /** A saga that has not moved for so long, nor waits for a time-out, is stuck, ms. @default 15 minutes */
  stuckAfterMs?: number
  /** Grows with each incompatible change of `State`. @default 1 */
  version?: number
  /** Brings the state of an older version to this one. Needed as soon as `version` > 1. */
  upcast?: (state: unknown, fromVersion: number) => State
}

/** A saga as declared data. */
export type SagaDef<State> = {
  readonly kind: 'saga'
  readonly name: string
  readonly steps: Readonly<Record<string, SagaStep<State>>>
  readonly sends: ReadonlyMap<string, AnyContract>
  readonly timeout: Contract<TimeoutData> | undefined
  readonly stuckAfterMs: number
  readonly version: number
  readonly upcast: ((state: unknown, fromVersion: number) => State) | undefined
}

/**
 * Declares a saga: a state machine, one record an id. Nothing happens until `openSaga`.
 * @param name lower case, e.g. `order`; its bucket is `SAGA_ORDER`
 * @throws PatternsError PATTERNS_INVALID_DEFINITION with every fault
 */
export function saga<State>(name: string, given: SagaOptions<State>): SagaDef<State> {
  const options = given ?? {}
  const shape = shapeFaults(options)
  if (shape.length > 0) throw faultsError(`saga ${shown(name)}`, shape)
  const def: SagaDef<State> = {
    kind: 'saga',
    name,
    steps: Object.freeze({ ...options.steps }),
    sends: new Map(options.sends.map((contract) => [contract.type, contract])),
    timeout: options.timeout,
    stuckAfterMs: options.stuckAfterMs ?? minutes(15),
    version: options.version ?? 1,
    upcast: options.upcast,
  }
  const faults = [...sagaFaults(def), ...stepFaults(def)]
  if (faults.length > 0) throw faultsError(`saga ${shown(name)}`, faults)
  return Object.freeze(def)
}

/** What is not what the functions of this page return; the rest cannot be looked at then. */
function shapeFaults<State>({ steps, sends, timeout }: SagaOptions<State>): string[] {
  const faults: string[] = []
  if (!isObject(steps)) faults.push(`steps is ${shown(steps)}; an object of steps by name`)
  for (const [name, one] of Object.entries(isObject(steps) ? steps : {}))
    if (!isStep(one))
      faults.push(`step ${JSON.stringify(name)}: it is not what begins, step, undone or timedOut return`)
  if (!Array.isArray(sends) || !sends.every((one) => isDeclared(one, 'event', 'command')))
    faults.push('sends is a list of what event(…) and command(…) return')
  if (timeout !== undefined && !isDeclared(timeout, 'event'))
    faults.push(`timeout is ${shown(timeout)}; give it what sagaTimeout(…) returns`)
  return faults
}

function isStep(one: unknown): boolean {
  if (isDeclared(one, 'timed-out')) return isObject(one) && typeof one['name'] === 'string'
  return isDeclared(one, 'begins', 'step', 'undone') && isObject(one) && isDeclared(one['contract'], 'event', 'command')
}

function sagaFaults<State>(def: SagaDef<State>): string[] {
  const faults: string[] = []
  if (!isMatch(def.name, /^[a-z][a-z0-9-]{0,31}$/)) faults.push('its name takes a-z, 0-9 and -, 32 characters at most')
  if (!Object.values(def.steps).some(({ kind }) => kind === 'begins'))
    faults.push('no step begins it; declare one with begins(…)')
  if (!isWithin(def.stuckAfterMs, 1000)) faults.push(`stuckAfterMs is ${shown(def.stuckAfterMs)}; at least 1000`)
  if (!isWhole(def.version, 1)) faults.push(`version is ${shown(def.version)}; a whole number from 1`)
  else if (def.version > 1 && typeof def.upcast !== 'function')
    faults.push(`version ${def.version} needs upcast: records of older versions are still there`)
  return faults
}

function stepFaults<State>({ steps, timeout }: SagaDef<State>): string[] {
  const faults: string[] = []
  const byType = new Map<string, string>()
  const timeouts = new Set<string>()
  for (const [name, one] of Object.entries(steps)) {
    const say = (fault: string): number => faults.push(`step ${JSON.stringify(name)}: ${fault}`)
    if (!/^[A-Za-z][A-Za-z0-9-]{0,23}$/.test(name)) say('its name takes letters, digits and -, 24 characters at most')
    if (one.kind === 'timed-out') {
      if (timeout === undefined) say('the saga has no timeout contract; declare one with sagaTimeout(…)')
      if (timeouts.has(one.name)) say(`time-out ${one.name} has a step already`)
      timeouts.add(one.name)
      continue
    }
    const other = byType.get(one.contract.type)
    if (other !== undefined) say(`${one.contract.type} is step ${other} already; an event has one step`)
    byType.set(one.contract.type, name)
    if (one.contract.key === undefined && one.idOf === undefined)
      say(`${one.contract.type} has no key; say whose event it is with id`)
    if (one.kind === 'undone') {
      const of = steps[one.step]
      if (of?.kind !== 'step' || of.undo === undefined) say(`there is no step ${one.step} with an undo`)
    }
  }
  return faults
}
