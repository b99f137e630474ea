import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@clickhouse/client'
import { jetstreamManager, type StreamInfo } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Tally } from '../history/tally.ts'

/** How a run came to rest. */
export type Rest = {
  /** False: it was not waited for any longer. */
  isQuiet: boolean
  afterMs: number
  /** What was still open at the end, a phrase each. */
  open: string[]
}

type QuietOptions = {
  nats: NatsConnection
  clickhouseUrl: string
  tally: Tally
  /** Processes that publish, and must come to say that all is answered. */
  publishers: readonly string[]
  mostMs: number
  /** Without a line for so long, nothing more will come. @default longer than any retry waits */
  hopelessMs?: number
  signal: AbortSignal
  onPoll: (open: readonly string[]) => void
}

const POLL_MS = 1000
/** Nobody says that an ordered handler is done, nor a spool empty: nothing was written down for so long. */
const STILL_MS = 4000
/** Longer than any retry waits: what has not come by then does not come. */
const HOPELESS_MS = 90_000

/** Waits until nothing is left to do, or nothing is being done. */
export async function untilQuiet(options: QuietOptions): Promise<Rest> {
  const { tally, mostMs, hopelessMs = HOPELESS_MS, signal, onPoll } = options
  const startedAt = performance.now()
  let seen = ''
  let stillSince = startedAt
  for (;;) {
    tally.read()
    const open = await whatIsOpen(options)
    onPoll(open)
    const now = performance.now()
    // The archive writes nothing down: what is open says how far it is.
    const seenNow = [tally.lines, ...open].join()
    if (seenNow !== seen) stillSince = now
    seen = seenNow
    const stillMs = now - stillSince
    if (open.length === 0 && stillMs >= STILL_MS) return { isQuiet: true, afterMs: now - startedAt, open }
    if (stillMs >= hopelessMs || now - startedAt >= mostMs || signal.aborted)
      return { isQuiet: false, afterMs: now - startedAt, open }
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined)
  }
}

async function whatIsOpen({ nats, clickhouseUrl, tally, publishers }: QuietOptions): Promise<string[]> {
  const open = publishers.filter((name) => !tally.answered.has(name)).map((name) => `answers to ${name}`)
  if (tally.outstanding > 0) open.push(`${tally.outstanding} effects`)
  try {
    const jsm = await jetstreamManager(nats)
    const streams: StreamInfo[] = []
    for await (const info of jsm.streams.list()) if (!/^(KV|OBJ)_/.test(info.config.name)) streams.push(info)
    const isOf = ({ config }: StreamInfo, ...kinds: string[]): boolean =>
      kinds.includes(config.metadata?.['malha.kind'] ?? '')
    const waits = (info: StreamInfo): boolean => isOf(info, 'lanes', 'delays')
    for (const { config, state } of streams.filter(waits))
      if (state.messages > 0) open.push(`${state.messages} in ${config.name}`)
    // What the server tells of itself is not archived.
    const events = streams.filter((stream) => !waits(stream) && !isOf(stream, 'advisories'))
    for (const { config } of events)
      for await (const { name, num_pending: pending, num_ack_pending: unacked } of jsm.consumers.list(config.name))
        if (pending + unacked > 0) open.push(`${pending + unacked} of ${name}`)
    open.push(...(await notArchived(clickhouseUrl, events)))
  } catch (error) {
    open.push(`nobody knows: ${error instanceof Error ? error.message : String(error)}`)
  }
  return open
}

/** Markers of handled messages are in a table of their own. */
const LAST = `SELECT stream, toFloat64(max(seq)) AS last FROM (
  SELECT stream, seq FROM archive.events UNION ALL SELECT stream, seq FROM archive.markers) GROUP BY stream`

async function notArchived(url: string, streams: readonly StreamInfo[]): Promise<string[]> {
  await using client = createClient({ url, request_timeout: 10_000 })
  const rows = await (
    await client.query({ query: LAST, format: 'JSONEachRow' })
  ).json<{ stream: string; last: number }>()
  const archived = new Map(rows.map(({ stream, last }) => [stream, last]))
  return streams.flatMap(({ config: { name }, state }) => {
    const behind = state.messages === 0 ? 0 : state.last_seq - (archived.get(name) ?? 0)
    return behind > 0 ? [`${behind} of ${name} to archive`] : []
  })
}
