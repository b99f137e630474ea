import type { Column } from './columns.ts'
import { CORRECTION, correctionOf } from './correction.ts'
import { entries, type Entries, type Facts, noFacts, NONE, type StreamLife } from './facts.ts'
import type { FinalState, StoredMessage } from './final-state.ts'
import type { Operation } from './operation.ts'

/** Streams that say something of messages, and are not where they are published to. */
const ABOUT_MESSAGES: ReadonlySet<string> = new Set(['DEAD_LETTERS', 'MESH', 'OPERATIONS', 'AUDIT'])

/**
 * Reads a history and the final state once and joins them by message. Effects must come in the order in which the outside
 * world saw them, as far as handlers keep an order.
 */
export function joinFacts(operations: Iterable<Operation>, final: FinalState): Facts {
  const facts = noFacts(final.beganAt, final.handlers, final.isMended)
  const handlers = new Map(final.handlers.map(({ handler }, number) => [handler, number]))
  for (const operation of operations) addOperation(facts, handlers, operation)
  const lives = new Map<string, number>()
  for (const message of final.streams) addStored(facts, lifeOf(facts, lives, message), message)
  for (const { stream, epoch, seq, id, digest } of final.archive)
    addEntry(facts.lives[lifeOf(facts, lives, { stream, epoch })]!.archived, facts.ids.number(id), { seq, digest })
  for (const { id, type, handler } of final.letters) {
    const message = facts.ids.number(id)
    if (facts.type.at(message) === NONE) facts.type.set(message, facts.types.number(type))
    const number = handlers.get(handler)
    if (number === undefined) facts.strangers.push({ id, handler })
    else facts.letters.count(message, number)
  }
  return facts
}

function addOperation(facts: Facts, handlers: ReadonlyMap<string, number>, operation: Operation): void {
  if (operation.op === 'publish') return addPublish(facts, operation)
  if (operation.op === 'nemesis' && operation.lost) facts.lost.push({ ...operation.lost, at: operation.at })
  if (operation.op === 'nemesis') for (const { id, isCertain } of operation.edited ?? []) addEdit(facts, id, isCertain)
  if (operation.op !== 'effect' && operation.op !== 'delivery' && operation.op !== 'handled') return
  const handler = handlers.get(operation.handler)
  const message = facts.ids.number(operation.id)
  if (handler === undefined) return void facts.strangers.push({ id: operation.id, handler: operation.handler })
  if (operation.op === 'handled') return earliest(facts.handledAt, message, operation.at)
  if (operation.op === 'delivery') {
    if (facts.handlers[handler]!.effect === 'repeats') latest(facts.begunAt, message, operation.at)
    return facts.deliveries.count(message, handler)
  }
  const { of = operation.id } = operation
  if (of === correctionOf(operation.id)) facts.corrected.count(message)
  else if (of !== operation.id) facts.mixed.push({ message, handler, of: facts.ids.number(of) })
  facts.effects.count(message, handler)
  earliest(facts.effectAt, message, facts.beganAt + operation.at)
  const isFirst = facts.effects.at(message, handler) === 1
  if (isFirst && facts.handlers[handler]!.order === 'key') facts.firstEffects[handler]!.push(message)
}

function addEdit({ ids, corrections }: Facts, id: string, isCertain: boolean): void {
  latest(corrections, ids.number(id), isCertain ? CORRECTION.certain : CORRECTION.perhaps)
}

function earliest(times: Column, message: number, at: number): void {
  const before = times.at(message)
  times.set(message, before === NONE ? at : Math.min(at, before))
}

const latest = (times: Column, message: number, at: number): void => times.set(message, Math.max(at, times.at(message)))

type Publish = Extract<Operation, { op: 'publish' }>

function addPublish(facts: Facts, { phase, id, type, key, n, due, at }: Publish): void {
  const message = facts.ids.number(id)
  if (phase === 'ok') facts.acknowledged.count(message)
  if (phase === 'fail') facts.refused.count(message)
  if (phase === 'invoke') {
    facts.invoked.count(message)
    earliest(facts.invokedAt, message, at)
  }
  facts.type.set(message, facts.types.number(type))
  if (key !== undefined) facts.key.set(message, facts.keys.number(key))
  if (n !== undefined) facts.n.set(message, n)
  if (due !== undefined) facts.due.set(message, facts.beganAt + due)
}

function addStored(facts: Facts, life: number, stored: StoredMessage): void {
  const { stream, seq, id, type, time, due, causation, digest } = stored
  const message = facts.ids.number(id)
  addEntry(facts.lives[life]!.stored, message, { seq, digest })
  if (ABOUT_MESSAGES.has(stream)) return
  facts.stored.count(message)
  if (facts.stored.at(message) > 1) {
    facts.storedAt.set(message, Math.min(time, facts.storedAt.at(message)))
    return
  }
  addEnding(facts, message, stored)
  facts.streams.set(facts.types.number(type), stream)
  facts.life.set(message, life)
  facts.seq.set(message, seq)
  facts.storedAt.set(message, time)
  if (due !== undefined) facts.storedDue.set(message, due)
  if (facts.type.at(message) === NONE) facts.type.set(message, facts.types.number(type))
  if (causation === undefined) return
  const cause = facts.ids.number(causation)
  facts.cause.set(message, cause)
  const output = facts.outputTypes.indexOf(type)
  if (output !== -1) facts.outputs.count(cause, output)
}

/** Joins those that lead to one another by the key in their subjects. */
function addEnding({ handlers, ends, end, endings }: Facts, message: number, { type, subject }: StoredMessage): void {
  const key = subject.slice(subject.lastIndexOf('.') + 1)
  const nameOf = (ending: string): number => ends.number(`${ending} ${key}`)
  for (const { type: from, leadsTo } of handlers) {
    if (leadsTo === undefined) continue
    if (type === from) end.set(message, nameOf(leadsTo))
    if (type === leadsTo) endings.count(nameOf(leadsTo))
  }
}

function lifeOf(
  facts: Facts,
  lives: Map<string, number>,
  { stream, epoch }: Pick<StreamLife, 'stream' | 'epoch'>,
): number {
  const name = `${stream} ${epoch}`
  const known = lives.get(name)
  if (known !== undefined) return known
  const life = facts.lives.push({ stream, epoch, stored: entries(), archived: entries() }) - 1
  lives.set(name, life)
  return life
}

/** 52 bits of a digest are an exact number. */
const DIGITS = 13

function addEntry(entries: Entries, message: number, { seq, digest }: { seq: number; digest: string }): void {
  entries.seqs.push(seq)
  entries.ids.push(message)
  entries.digests.push(Number.parseInt(digest.slice(0, DIGITS), 16))
}
