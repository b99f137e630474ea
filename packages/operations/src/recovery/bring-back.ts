/**
 * Events of the archive, stored again under the sequences they had.
 *
 * E1  Each is stored only behind the one before it (`Nats-Expected-Last-Sequence`), so one that is stored already, a message of
 *     somebody else, and a hole stop the rest.
 * E2  A sequence of which the archive has no event is taken by an empty message, which is removed when all is there.
 */
import { REBUILT_FROM, rebuiltFrom, type ReplayedEvent, type ReplayReader } from '@malha/archive'
import { contains, HEADER, nanosOf } from '@malha/mesh'
import type { JetStreamManager, StreamConfig } from '@nats-io/jetstream'
import { headers, type Msg, type MsgHdrs, type NatsConnection } from '@nats-io/nats-core'
import type { RebuildPlan } from './rebuild-plan.ts'

type Task = {
  nats: NatsConnection
  jsm: JetStreamManager
  archive: ReplayReader
  planned: RebuildPlan['streams'][number]
  onEvents: (events: number) => void
}

const AT_ONCE = 256
const PAGE = 10_000
const ANSWER_MS = 15_000
/** Elections, restarts of a server. */
const TRIES = 5

/**
 * Goes on behind the last sequence that is there.
 * @throws Error with what the server said
 */
export async function bringBack(task: Task): Promise<void> {
  const { jsm, planned } = task
  for (let attempt = 1; ; attempt++) {
    const { config, state } = await jsm.streams.info(planned.name)
    try {
      if (state.last_seq < planned.last) await fill(task, config, state.last_seq)
      break
    } catch (error) {
      if (attempt === TRIES) throw error
    }
  }
  await removeFillers(jsm, planned.name)
}

/** Those of a rebuild that was broken off, too. Upholds E2. */
export async function removeFillers(jsm: JetStreamManager, stream: string): Promise<void> {
  const { config } = await jsm.streams.info(stream)
  const filter = fillersOf(config)
  if (filter === undefined) return
  const { state } = await jsm.streams.info(stream, { subjects_filter: filter })
  if (Object.keys(state.subjects ?? {}).length > 0) await jsm.streams.purge(stream, { filter })
}

/** Whether a message only takes the number of one that is not brought back. */
export const isFiller = (config: StreamConfig, subject: string): boolean => {
  const filter = fillersOf(config)
  return filter !== undefined && contains(filter, subject)
}

async function fill(task: Task, config: StreamConfig, from: number): Promise<void> {
  const { nats, archive, planned, onEvents } = task
  const { epoch, last, lastAt } = planned
  // What was stored within the window is known again, so that its publisher's repeat is too.
  const window = BigInt(config.duplicate_window ?? 0)
  const recentNs = lastAt === '' ? 0n : BigInt(nanosOf(lastAt)) - window
  const query = { stream: planned.name, epoch, upTo: last, typePattern: '(?s).*', key: null, since: null, until: null }
  const sending = sender(nats)
  let done = 0
  let at = from
  while (at < last) {
    const events = await archive.read({ ...query, after: at, limit: PAGE })
    for (const event of events) {
      for (; at + 1 < event.seq; at++) await sending.send(fillerFor(config, at + 1))
      await sending.send(again(event, { stream: planned.name, epoch, recentNs, config }))
      at = event.seq
    }
    if (events.length === 0) for (; at < last; at++) await sending.send(fillerFor(config, at + 1))
    await sending.flush()
    onEvents((done += events.length))
  }
}

type Sent = { subject: string; payload: Uint8Array; headers: MsgHdrs; seq: number }
type Ack = { seq?: number; duplicate?: boolean; error?: { code: number; description: string } }

/** Keeps `AT_ONCE` on their way, in order. Rejects when one was refused; what came after it was refused too. */
function sender(nats: NatsConnection): { send: (one: Sent) => Promise<void>; flush: () => Promise<void> } {
  let open: Promise<void>[] = []
  const flush = async (): Promise<void> => {
    const all = open
    open = []
    await Promise.all(all)
  }
  return {
    flush,
    async send({ subject, payload, headers: head, seq }) {
      if (open.length >= AT_ONCE) await flush()
      head.set('Nats-Expected-Last-Sequence', String(seq - 1)) // E1
      open.push(stored(nats.request(subject, payload, { headers: head, timeout: ANSWER_MS }), seq))
    },
  }
}

async function stored(answer: Promise<Msg>, seq: number): Promise<void> {
  const ack = (await answer).json<Ack>()
  if (ack.error) throw new Error(`sequence ${seq}: ${ack.error.code} ${ack.error.description}`)
  if (ack.seq !== seq || ack.duplicate) throw new Error(`sequence ${seq} was stored as ${ack.seq ?? 'nothing'}`)
}

type Of = { stream: string; epoch: number; recentNs: bigint; config: StreamConfig }

function again(event: ReplayedEvent, { stream, epoch, recentNs, config }: Of): Sent {
  const { seq, subject, payload, publishedAt } = event
  const ns = nanosOf(publishedAt)
  const leftS = ttlLeft(event, Number(BigInt(ns) / 1_000_000n))
  // It would be gone by now.
  if (leftS !== undefined && leftS <= 0) return fillerFor(config, seq)
  const head = headers()
  const own = event.headers.filter(([name]) => !/^nats-/i.test(name))
  // Before all others: the server does not look for traces of its own then (ADR 22).
  if (own.some(([name]) => name.toLowerCase() === 'traceparent')) head.append('Nats-Trace-Dest', 'trace disabled')
  for (const [name, value] of own) if (name !== REBUILT_FROM) head.append(name, value)
  const id = event.headers.find(([name]) => name.toLowerCase() === 'nats-msg-id')?.[1]
  if (id !== undefined && BigInt(ns) >= recentNs) head.set(HEADER.msgId, id)
  if (leftS !== undefined) head.set('Nats-TTL', `${leftS}s`)
  const before = event.headers.find(([name]) => name === REBUILT_FROM)?.[1]
  head.set(REBUILT_FROM, before ?? rebuiltFrom({ stream, epoch, seq }, ns))
  return { subject, payload, headers: head, seq }
}

function ttlLeft({ headers: pairs }: ReplayedEvent, storedMs: number): number | undefined {
  const ttl = pairs.find(([name]) => name.toLowerCase() === 'nats-ttl')?.[1]
  const seconds = /^(\d+)s?$/.exec(ttl ?? '')?.[1]
  return seconds === undefined ? undefined : Math.ceil((storedMs - Date.now()) / 1000) + Number(seconds)
}

/** Subjects of the stream that are none of an event; undefined where it has none. */
function fillersOf({ subjects }: StreamConfig): string | undefined {
  const wide = subjects.find((one) => /(^|\.)_done\..*\.>$/.test(one)) ?? subjects.find((one) => one.endsWith('.>'))
  return wide && `${wide.slice(0, -2)}._rebuilt.>`
}

function fillerFor(config: StreamConfig, seq: number): Sent {
  const fillers = fillersOf(config)
  if (fillers === undefined) throw new Error(`stream ${config.name} takes no subject but those of its events`)
  return { subject: fillers.replace('>', String(seq)), payload: new Uint8Array(), headers: headers(), seq }
}
