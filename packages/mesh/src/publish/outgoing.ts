import { type DelayOptions, readDelay } from '../delay/delay.ts'
import { MeshError } from '../errors.ts'
import { isDeclared, shown } from '../given.ts'
import type { AnyContract } from '../message/contract.ts'
import { newEnvelope } from '../message/envelope.ts'
import { type HeaderPairs, userHeaders } from '../message/headers.ts'
import { checkId, checkText, newId } from '../message/id.ts'
import { subjectOf } from '../message/key.ts'
import type { Priority } from '../message/priority.ts'
import { chain, type Maybe } from '../maybe.ts'
import type { Names } from '../topology/names.ts'
import { checkPublish, publishMs } from './check-publish.ts'
import { type Encoded, encodeEvent } from './encode.ts'
import { type Expectation, expectationOf } from './expectation.ts'
import type { Outgoing } from './publisher.ts'

export type PublishOptions = DelayOptions & {
  /** The message's identity: a second publish under it stores nothing. Letters, digits and `_ . : / -`. @default a new one */
  id?: string
  /** At most one event of this type and key for as long as the stream holds it. Needs a keyed contract. @default false */
  once?: boolean
  /** Of a command that has priorities. @default 'normal' */
  priority?: Priority
  /** Stored only if this holds, or MESH_EXPECTATION_FAILED. @default nothing is expected */
  expect?: Expectation
  /** What it belongs to. @default its own id */
  correlationId?: string
  /** The id of what caused it. */
  causationId?: string
  /** The user's own headers; `Nats-*`, `ce-*` and `malha-*` are refused. */
  headers?: Readonly<Record<string, string>>
  /** How long to try, ms, a day at most; an election of a new leader takes up to 9 s. @default 30 000 */
  timeoutMs?: number
}

type Place = { names: Names; from: string }

/** What a user gives `publish`; `options` may be missing. */
export type Given = { contract: AnyContract; data: unknown; options: PublishOptions | undefined }

/**
 * An event as it goes out, checked; needs no connection. A promise only where the schema is asynchronous.
 * @throws MeshError MESH_INVALID_PAYLOAD | MESH_INVALID_KEY | MESH_INVALID_HEADER | MESH_INVALID_CONTRACT | MESH_INVALID_OPTIONS
 */
export function outgoing(place: Place, { contract, data, options }: Given): Maybe<Outgoing> {
  if (!isDeclared(contract, 'event', 'command'))
    throw new MeshError(
      'MESH_INVALID_CONTRACT',
      `${shown(contract)} is published; give it what event(…) or command(…) returns`,
    )
  return chain(encodeEvent(contract, data), (encoded) => withOptions(place, encoded, options ?? NO_OPTIONS))
}

const NO_OPTIONS: PublishOptions = {}
const NO_HEADERS: HeaderPairs = []

function withOptions({ names, from }: Place, { contract, payload, key }: Encoded, given: PublishOptions): Outgoing {
  checkPublish(contract, given)
  checkText('from', from)
  checkText('correlationId', given.correlationId)
  checkText('causationId', given.causationId)
  const id = given.id === undefined ? newId() : checkId(given.id)
  const subject = names.subject(subjectOf(contract, key, given.priority))
  const once = given.once === true
  return {
    envelope: newEnvelope(contract, {
      id,
      from,
      key,
      correlationId: given.correlationId,
      causationId: given.causationId,
    }),
    subject,
    stream: names.stream(contract.stream),
    payload,
    once,
    expect: given.expect === undefined ? undefined : expectationOf(names, given.expect, { subject, once }),
    timeoutMs: publishMs(contract.type, given.timeoutMs),
    headers: given.headers === undefined ? NO_HEADERS : userHeaders(given.headers ?? {}),
    delay: readDelay(contract.type, given),
  }
}
