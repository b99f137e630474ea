/**
 * The server's clock, as its answers tell it. It runs on this process's monotonic time, so that a wrong or jumping wall
 * clock here does not matter.
 */
import type { NatsConnection } from '@nats-io/transport-node'
import type { ConnectionWatch } from './connection-watch.ts'
import type { Logger } from '../observe/logger.ts'
import { epochOf } from '../topology/stream-state.ts'

/** An answer of the server that carries its time, and how long it took. */
export type ClockReading = { serverMs: number; sentAt: number; gotAt: number }

const FRESH_MS = 60_000
const READINGS = 3
/** The wall clock and the monotonic one part by this much when the first is set, or the machine sleeps. */
const JUMP_MS = 1000
/** Two clocks this far apart are worth a line in the log. */
const WORTH_SAYING_MS = 2000

export class ServerClock {
  readonly #read: () => Promise<ClockReading>
  readonly #log: Logger
  /** Server time at monotonic time 0. */
  #origin = 0
  #errorMs = Infinity
  #readAt = -Infinity
  /** Wall time at monotonic time 0, here. */
  #wall = 0
  #reading: Promise<void> | undefined
  #hasSaid = false
  readonly #unlisten: () => void

  constructor(read: () => Promise<ClockReading>, { connection, log }: { connection: ConnectionWatch; log: Logger }) {
    this.#read = read
    this.#log = log
    // Another server answers now, with a clock of its own.
    this.#unlisten = connection.listen({ up: () => (this.#readAt = -Infinity) })
  }

  /** Milliseconds of unix time at the server. Asks it when the last answer is old. */
  async now(): Promise<number> {
    if (!this.#isFresh()) await (this.#reading ??= this.#refresh())
    return this.estimate()
  }

  /** The same without asking; this process's clock as long as nothing was heard. */
  estimate(): number {
    return this.#errorMs === Infinity ? Date.now() : this.#origin + performance.now()
  }

  /** By how much `estimate()` may be off, ms: half the time the answer took. */
  get errorMs(): number {
    return this.#errorMs
  }

  /** Takes an answer that came anyway, unless a better one is fresh and both can be true. */
  learn({ serverMs, sentAt, gotAt }: ClockReading): void {
    const origin = serverMs - (sentAt + gotAt) / 2
    const errorMs = (gotAt - sentAt) / 2
    const agrees = Math.abs(origin - this.#origin) <= errorMs + this.#errorMs
    if (this.#isFresh() && agrees && errorMs > this.#errorMs) return
    this.#origin = origin
    this.#errorMs = errorMs
    this.#readAt = gotAt
    this.#wall = wallAtZero()
    const apartMs = Math.round(Date.now() - this.estimate())
    if (Math.abs(apartMs) < WORTH_SAYING_MS || this.#hasSaid) return
    this.#hasSaid = true
    this.#log.warn({ apartMs }, 'this process’s clock and the server’s differ; delays and retries go by the server’s')
  }

  /** Hears of its connection no more. */
  close(): void {
    this.#unlisten()
  }

  #isFresh(): boolean {
    const isYoung = performance.now() - this.#readAt <= FRESH_MS
    return isYoung && Math.abs(wallAtZero() - this.#wall) < JUMP_MS
  }

  async #refresh(): Promise<void> {
    try {
      const readings: ClockReading[] = []
      for (let index = 0; index < READINGS; index++) readings.push(await this.#read())
      this.learn(readings.sort((a, b) => a.gotAt - a.sentAt - (b.gotAt - b.sentAt))[0]!)
    } finally {
      this.#reading = undefined
    }
  }
}

const wallAtZero = (): number => Date.now() - performance.now()

type StreamAnswer = {
  ts?: string
  created?: string
  config?: { metadata?: Record<string, string> }
  state?: { messages?: number; subjects?: Record<string, number> }
  error?: { code: number; err_code?: number; description?: string }
}

/** What the leader of a stream says of it: its time, how many messages it holds, when it was made (unix seconds), and the subjects asked for. */
export type StreamReading = ClockReading & { messages: number; epoch: number; subjects: string[] }

/**
 * Asks a stream's leader, also which of its subjects match `subjects` and have messages. Needs `$JS.API.STREAM.INFO.<stream>`.
 * @throws Error when it does not answer or there is no such stream
 */
export async function readStream(nc: NatsConnection, stream: string, subjects?: string): Promise<StreamReading> {
  const query = subjects === undefined ? '' : JSON.stringify({ subjects_filter: subjects })
  const sentAt = performance.now()
  const answer = (await nc.request(`$JS.API.STREAM.INFO.${stream}`, query, { timeout: 5000 })).json<StreamAnswer>()
  const gotAt = performance.now()
  const serverMs = Date.parse(answer.ts ?? '')
  if (answer.error || Number.isNaN(serverMs))
    throw new Error(`stream ${stream}: ${answer.error?.description ?? 'the server does not say its time'}`)
  const epoch = epochOf({ created: answer.created ?? '', ...(answer.config && { config: answer.config }) })
  return {
    serverMs,
    sentAt,
    gotAt,
    messages: answer.state?.messages ?? 0,
    epoch,
    subjects: Object.keys(answer.state?.subjects ?? {}),
  }
}
