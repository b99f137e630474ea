import { isDeepStrictEqual } from 'node:util'
import { command, event, keyToken, MeshError, names, stream, subjectOf } from '@malha/mesh'
import { parseAckReply } from '../../../packages/archive/src/message/stored-message.ts'
import { parseAckSubject } from '../../../packages/mesh/src/consume/ack-subject.ts'
import { parseSlot, slotName, slotOf, slotSubject } from '../../../packages/mesh/src/delay/slot.ts'
import { covers } from '../../../packages/mesh/src/message/contract.ts'
import { isSubjectOf, partitionOf, textToken } from '../../../packages/mesh/src/message/key.ts'
import { priorityOf } from '../../../packages/mesh/src/message/priority.ts'
import { Input } from '../engine/input.ts'
import { check, type Target } from '../engine/target.ts'

const schema = {
  '~standard': { version: 1, vendor: 'fuzz', validate: (value: unknown) => ({ value: value as string }) },
} as const
const jobs = stream('JOBS', { subjects: ['job.>'], partitions: 7 })
const key = (text: string): string => text
const made = event('job.made', { stream: jobs, schema, key })
const doIt = command('job.do', { stream: jobs, schema, key, priorities: true })
const other = event('job.made.late', { stream: jobs, schema, key })

/** Names are told apart by what they are made of, stay within their tokens, and say what they were made of. */
export const subjects: Target = {
  name: 'subjects',
  run(bytes) {
    const input = new Input(bytes)
    const run = input.pick([keys, places, acks, strange])
    run(input)
  },
  seeds: ['\0a.b', '\x01\x01\x03abc', '\x02$JS.ACK.S.c.1.2.3.1795271400123456789.0', '\x03job.made.1.x'].map((text) =>
    new TextEncoder().encode(text),
  ),
  words: ['$JS.ACK.', '._high', '._low', '.4.', '=', '_key', '._id.', 'delay.at.', '>', '*'],
}

/** One token, with nothing in it that a server reads as more. */
const isToken = (token: string): boolean => /^[A-Za-z0-9_=-]+$/.test(token)

function keys(input: Input): void {
  const [one, two] = [input.text(140), input.text(140)]
  const [first, second] = [tokenOf(one), tokenOf(two)]
  if (first !== undefined && second !== undefined)
    check((first === second) === (one === two), 'two keys have one token', one, two)
  if (first === undefined) return
  check(isToken(first) && first.length <= 173, 'a key is no token', one, first)
  check(slotName({ type: 'job.made', kind: '_key', token: first }) === one, 'a token is of another key', one, first)
  for (const [contract, priority] of [
    [made, 'normal'],
    [doIt, 'high'],
    [doIt, 'low'],
    [doIt, 'normal'],
    [other, 'normal'],
  ] as const) {
    const subject = subjectOf(contract, one, priority)
    const tokens = subject.split('.')
    check(tokens.at(-1) === first, 'the last token is not that of the key', subject)
    check(tokens.at(-2) === String(partitionOf(first, 7)), 'the partition is another', subject)
    check(isSubjectOf(contract.type, subject), 'a subject is not of its type', subject)
    check(priorityOf(contract.type, subject) === priority, 'another priority', subject)
    check(covers('job.>', subject), 'it is outside of its stream', subject)
    for (const stranger of [made, doIt, other])
      if (stranger !== contract) check(!isSubjectOf(stranger.type, subject), 'it is of another type too', subject)
  }
}

function tokenOf(text: string): string | undefined {
  try {
    return keyToken(text)
  } catch (error) {
    check(error instanceof MeshError && error.code === 'MESH_INVALID_KEY', 'a key is refused otherwise', error)
    const mayBe = text.length > 0 && text.isWellFormed() && Buffer.byteLength(text) <= 128
    check(!mayBe, 'a key that may be is refused', text)
    return undefined
  }
}

const NAMESPACES = ['', 'staging', 'dlq', '0', 'a-b'] as const

function places(input: Input): void {
  const read = () => ({
    namespace: input.pick([...NAMESPACES]),
    service: input.pick(['a', 'a-b', 'provider']),
    handler: input.pick(['b', 'B-c', 'senninha']),
    place: {
      stream: input.pick(['JOBS', 'J', 'JOBS-2']),
      epoch: input.integer(),
      seq: input.integer(),
      storedAt: String(input.integer()),
    },
    id: input.text(140),
    until: input.integer(),
  })
  const [one, two] = [read(), read()]
  const all = [one, two].map((made) => namesOf(made))
  const isSame = isDeepStrictEqual(one, two)
  for (const [index, name] of all[0]!.entries()) {
    check(name.split('.').every(isNamePart), 'a name has a token that is none', name)
    const others = all[1]!.filter((_, at) => at !== index || !isSameIn(index, one, two, isSame))
    check(!others.includes(name), 'two things have one name', name, one, two)
  }
}

type Made = {
  namespace: string
  service: string
  handler: string
  place: { stream: string; epoch: number; seq: number; storedAt: string }
  id: string
  until: number
}

const isNamePart = (token: string): boolean => /^[A-Za-z0-9_=@-]+$/.test(token)

function namesOf({ namespace, service, handler, place, id, until }: Made): string[] {
  const n = names(namespace)
  const durable = n.durable(service, handler)
  const range = { stream: n.stream(place.stream), epoch: place.epoch, from: place.seq, to: until }
  const onServer = { ...place, stream: n.stream(place.stream) }
  return [
    n.laneSchedule(service, handler, onServer),
    n.deadLetter(durable, onServer),
    n.deadLetter(durable, range),
    n.spoolLetter(onServer.stream, textToken(id), place.seq),
    n.doneMarker({ ...jobs, name: place.stream }, { service, handler, id }),
    n.laneTarget(service, handler),
  ]
}

/** Whether two of one kind may have one name: what it is made of is the same. */
function isSameIn(kind: number, one: Made, two: Made, isSame: boolean): boolean {
  if (isSame) return true
  const parts = ({ namespace, service, handler, place, id, until }: Made): unknown => {
    const { stream: where, epoch, seq } = place
    const bytes = Buffer.from(id).toString('base64')
    return [
      [namespace, service, handler, place],
      [namespace, service, handler, place],
      [namespace, service, handler, where, epoch, seq, until],
      [namespace, where, bytes, seq],
      [namespace, where, service, handler, bytes],
      [namespace, service, handler],
    ][kind]
  }
  return isDeepStrictEqual(parts(one), parts(two))
}

function acks(input: Input): void {
  const reply = input.text(200)
  const info = parseAckSubject(reply)
  const archived = parseAckReply(reply)
  // Microseconds later than that, in 2255, are no safe number.
  const isOurTime = Number(archived?.storedAtNs) / 1000 < Number.MAX_SAFE_INTEGER
  if (archived !== undefined && isOurTime) {
    check(
      info?.streamSeq === archived.seq && info.consumerSeq === archived.consumerSeq,
      'an ack is read in two ways',
      reply,
    )
    check(
      info.storedAt === archived.storedAtNs && info.pending === archived.pending,
      'an ack is read in two ways',
      reply,
    )
  }
  if (info === undefined) return
  const numbers = [info.deliveryCount, info.streamSeq, info.consumerSeq, info.pending]
  check(numbers.every(Number.isSafeInteger), 'a number of an ack is none', reply, info)
  check(!Number.isNaN(info.publishedAt.getTime()), 'an ack has no time', reply, info)
  check(/^\d+$/.test(info.storedAt), 'an ack has no time in ns', reply, info)
}

function strange(input: Input): void {
  const subject = input.text(120)
  const n = names(input.pick([...NAMESPACES]))
  const slot = parseSlot(n, subject)
  if (slot !== undefined) {
    check(slotSubject(n, slot) === n.subject(n.strip(subject)), 'a slot is on another subject', subject, slot)
    const name = slotName(slot)
    if (tokenOf(name) === slot.token)
      check(isDeepStrictEqual(slotOf(slot.type, slot.kind, name), slot), 'another slot', slot)
  }
  for (const { type } of [made, doIt, other])
    if (isSubjectOf(type, subject)) check(subject.startsWith(type), 'it is of a type it does not begin with', subject)
  const priority = priorityOf('job.do', subject)
  check(['high', 'normal', 'low'].includes(priority), 'a priority that is none', subject)
}
