import { type Facts, NONE } from '../history/facts.ts'

/** A message of which a rule does not hold. */
export type Violation = {
  /** What was found, in one sentence that can stand alone. */
  says: string
  message: { id: string; type?: string; key?: string; handler?: string }
  /** Other messages whose lines belong to the evidence. */
  others: readonly string[]
  /** Where it stands, when it is about one place of a stream. */
  place?: Place
}

export type Place = { stream: string; epoch: number; seq: number }

/** What must hold of every run, and how that is judged. */
export type Rule = {
  readonly name: string
  /** One plain sentence. */
  readonly claim: string
  /** Where it does not hold. Pure. */
  readonly violations: (facts: Facts) => Iterable<Violation>
}

type About = { handler?: number; others?: readonly number[]; place?: Place }

/** @param says what is wrong with it: `has no effect` */
export function violation(facts: Facts, message: number, says: string, about: About = {}): Violation {
  const { handler, others = [], place } = about
  const id = facts.ids.text(message)
  const type = facts.type.at(message)
  const key = facts.key.at(message)
  const of = handler === undefined ? undefined : facts.handlers[handler]!.handler
  const known = {
    id,
    ...(type !== NONE && { type: facts.types.text(type) }),
    ...(key !== NONE && { key: facts.keys.text(key) }),
    ...(of !== undefined && { handler: of }),
  }
  return {
    says: `${called(known)} ${says}`,
    message: known,
    others: others.map((other) => facts.ids.text(other)),
    ...(place && { place }),
  }
}

/** A message as people read it: `stock.moved 4f… of key k-1 for count.stock`. */
export function called({ id, type, key, handler }: Violation['message']): string {
  return [type ?? 'a message', id, key && `of key ${key}`, handler && `for ${handler}`].filter(Boolean).join(' ')
}
