import { textToken } from '../message/key.ts'
import type { StreamDef } from './stream.ts'

/** Which message of which stream; `storedAt` in unix ns, because a stream that lost its end gives its sequences again. */
export type MessagePlace = {
  readonly stream: string
  readonly epoch: number
  readonly seq: number
  readonly storedAt: string
}

/** Sequences that left a stream before a handler was past them. */
export type ExpiredRange = {
  readonly stream: string
  readonly epoch: number
  readonly from: number
  readonly to: number
}

/**
 * Every name the mesh gives on a server, in one namespace. Subjects are prefixed `<namespace>.`; streams, durables and
 * buckets `<namespace>_`. With the empty namespace nothing is prefixed. Part of the wire: docs/reference/wire.md.
 */
export type Names = {
  readonly namespace: string
  /** The server's name of a stream: `CENTERS`, or `staging_CENTERS`. */
  stream(def: StreamDef | string): string
  /** A subject or subject pattern as the server sees it. */
  subject(subject: string): string
  /** A server's subject without the namespace. A subject of another namespace comes back as it is. */
  strip(subject: string): string
  /** The server's name of a key-value bucket; its stream is `KV_` plus this. */
  bucket(name: string): string
  /** The durable of a handler, on its event stream and on its lane stream alike; `part` where it has several. */
  durable(service: string, handler: string, part?: string): string
  /** The stream that holds a service's lanes. */
  lanes(service: string): string
  /**
   * Where one message waits to be retried: one subject a message, so that a second copy replaces the first. What a run sent
   * waits on one of its own, beside the event itself, which may wait too.
   */
  laneSchedule(service: string, handler: string, source: MessagePlace, run?: string): string
  /** What all of these of a handler begin with. */
  laneSchedules(service: string, handler: string): string
  /** Where it is noted that a message may be what ends its process: beside what waits, and taken by no consumer. */
  laneNote(service: string, handler: string, source: MessagePlace): string
  /** What all of these of a handler begin with. */
  laneNotes(service: string, handler: string): string
  /** Where a handler's retried messages arrive. */
  laneTarget(service: string, handler: string): string
  /** What all that waits for a handler or arrives there begins with, but for its notes. */
  laneOf(service: string, handler: string): string
  /** Where a request is asked, and its responders listen. */
  request(type: string): string
  /** Below this a responder of a streaming request hears how much its requesters take; a token a stream follows. */
  requestControl(type: string, instance: string): string
  /** What the NATS micro protocol calls a service: one account may hold several namespaces. */
  micro(service: string): string
  /**
   * Where a message that a run sent waits for a handler that keeps the order of keys: one subject a message. `token` as `keyToken()`
   * gives it, empty for an event without a key.
   */
  laneOfKey(service: string, handler: string, message: { token: string; place: MessagePlace; run: string }): string
  /** What all of these begin with. */
  laneOfKeys(service: string, handler: string): string
  /** The stream that holds what is published for later. */
  delays(): string
  /** Where one delayed event waits: `kind` says by what it is known (delay/slot.ts), so a second one in that slot replaces the first. */
  delayWaiting(type: string, kind: string, slot: string): string
  /** Where delayed events of a type arrive when they are due. */
  delayDue(type: string): string
  /** The durable of those who forward a type that is due. */
  delayDurable(type: string): string
  /**
   * The subject of one dead letter. `durable` as `durable()` gives it; `seq` is a range such as `17-20` when events expired.
   * `run` where the message is a new one that a run made of the event.
   */
  deadLetter(durable: string, source: MessagePlace | ExpiredRange, run?: string): string
  /** The stream of what operators and runs did: to letters, and with messages of replays. */
  operations(): string
  /** Where it stands what became of a letter. `letter` is its subject without the namespace. */
  letterRecord(letter: string): string
  /** What all of these begin with. */
  letterRecords(): string
  /** Where it stands what became of one message of a replay. `durable` as `durable()` gives it. */
  runRecord(durable: string, run: string, source: MessagePlace): string
  /** What all of these begin with, of one run. */
  runRecords(durable: string, run: string): string
  /** Where the instances of a service hear that something was said of its handlers. Nothing is stored there. */
  control(service: string): string
  /** Where the instances of a service are asked how they are. Nothing is stored there. */
  status(service: string): string
  /** Where the bucket of what is said of handlers has one of them; `*` stands for all. */
  handlerControl(service: string, handler: string): string
  /** Where a stream holds the markers of handlers that published into it with `effects: 'once'`. */
  doneMarkers(def: StreamDef | string): string
  /** The marker of one handled message in the stream of its outputs. `id` is its `ce-id`. */
  doneMarker(def: StreamDef, done: { service: string; handler: string; id: string }): string
  /** The subject of the letter of an event that never reached its stream: the n-th of a spool. No durable begins with `_`. */
  spoolLetter(stream: string, spoolId: string, seq: number): string
}

/** The name of the stream of delayed events, without a namespace. */
export const DELAYS = 'DELAYS'
export const OPERATIONS = 'OPERATIONS'

/** The name of the stream of what the server tells of messages that it gave up, without a namespace. */
export const ADVISORIES = 'ADVISORIES'

/** The name of the bucket of what is said of handlers while they run, without a namespace. */
export const HANDLERS = 'HANDLERS'

/** In place of a key's token where there is no key: no key has this one. */
export const NO_KEY = '='

/** The names of one namespace. `namespace` takes a-z, 0-9 and -, 32 characters at most, and may be empty. */
export function names(namespace: string): Names {
  const dotted = namespace === '' ? '' : `${namespace}.`
  const scored = namespace === '' ? '' : `${namespace}_`
  const lane = (service: string, handler: string): string => `${dotted}lane.${service}.${handler}`
  const plain = (name: string): string => (scored !== '' && name.startsWith(scored) ? name.slice(scored.length) : name)
  const place = ({ stream, epoch, seq, storedAt }: MessagePlace): string =>
    `${plain(stream)}.${epoch}.${seq}@${storedAt}`
  return Object.freeze({
    namespace,
    stream: (def: StreamDef | string) => scored + (typeof def === 'string' ? def : def.name),
    subject: (subject: string) => dotted + subject,
    strip: (subject: string) => (subject.startsWith(dotted) ? subject.slice(dotted.length) : subject),
    bucket: (name: string) => scored + name,
    durable: (service: string, handler: string, part?: string) =>
      `${scored}${service}_${handler}${part === undefined ? '' : `_${part}`}`,
    lanes: (service: string) => `${scored}LANES_${service.toUpperCase()}`,
    laneSchedule: (service: string, handler: string, source: MessagePlace, run?: string) =>
      `${lane(service, handler)}.at.${place(source)}${run === undefined ? '' : `.${run}`}`,
    laneSchedules: (service: string, handler: string) => `${lane(service, handler)}.at.`,
    laneNote: (service: string, handler: string, source: MessagePlace) =>
      `${lane(service, '_note')}.${handler}.${place(source)}`,
    laneNotes: (service: string, handler: string) => `${lane(service, '_note')}.${handler}.`,
    laneTarget: (service: string, handler: string) => `${lane(service, handler)}.now`,
    laneOf: (service: string, handler: string) => `${lane(service, handler)}.`,
    laneOfKey: (service: string, handler: string, { token, place: of, run }) =>
      `${lane(service, handler)}.key.${token === '' ? NO_KEY : token}.${place(of)}.${run}`,
    laneOfKeys: (service: string, handler: string) => `${lane(service, handler)}.key.`,
    request: (type: string) => `${dotted}request.${type}`,
    requestControl: (type: string, instance: string) => `${dotted}request.${type}._.${instance}`,
    micro: (service: string) => scored + service,
    doneMarkers: (def: StreamDef | string) => `${dotted}_done.${typeof def === 'string' ? def : def.name}.>`,
    doneMarker: (def: StreamDef, { service, handler, id }: { service: string; handler: string; id: string }) =>
      `${dotted}_done.${def.name}.${service}.${handler}.${textToken(id)}`,
    delays: () => `${scored}${DELAYS}`,
    delayWaiting: (type: string, kind: string, slot: string) => `${dotted}delay.at.${type}.${kind}.${slot}`,
    delayDue: (type: string) => `${dotted}delay.due.${type}`,
    delayDurable: (type: string) => `${scored}delay_${type.replaceAll('.', '_')}`,
    deadLetter: (durable: string, source: MessagePlace | ExpiredRange, run?: string) =>
      `${dotted}dlq.${durable}.${'seq' in source ? place(source) : `${plain(source.stream)}.${source.epoch}.${source.from}-${source.to}`}${run === undefined ? '' : `.${run}`}`,
    operations: () => `${scored}${OPERATIONS}`,
    letterRecord: (letter: string) => `${dotted}ops.letter.${letter.slice('dlq.'.length)}`,
    letterRecords: () => `${dotted}ops.letter.`,
    runRecord: (durable: string, run: string, source: MessagePlace) =>
      `${dotted}ops.run.${durable}.${run}.${place(source)}`,
    runRecords: (durable: string, run: string) => `${dotted}ops.run.${durable}.${run}.`,
    control: (service: string) => `${dotted}_malha.control.${service}`,
    status: (service: string) => `${dotted}_malha.status.${service}`,
    handlerControl: (service: string, handler: string) => `$KV.${scored}${HANDLERS}.${service}.${handler}`,
    spoolLetter: (stream: string, spoolId: string, seq: number) =>
      `${dotted}dlq._spool.${plain(stream)}.${spoolId}.${seq}`,
  })
}

/** Whether a stream, or the one under a bucket, is of this namespace. Names of the mesh begin in upper case, a namespace never does. */
export function isOfNamespace({ namespace }: Pick<Names, 'namespace'>, stream: string): boolean {
  const bare = stream.replace(/^KV_/, '')
  if (namespace === '') return /^[A-Z]/.test(bare)
  return bare.startsWith(`${namespace}_`) && /^[A-Z]/.test(bare.slice(namespace.length + 1))
}
