/**
 * Has other servers lead what one server leads of the durables, before it is stopped.
 *
 * H1  Nothing is on its way while a durable is handed over: it is paused, and what was sent before has arrived. Else what its leader
 *     is just delivering comes again after `ack_wait` (docs/adr/0047-requests-for-messages-run-out.md).
 * H2  No pause outlives whoever made it: it ends by itself.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type ConsumerInfo, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/nats-core'
import { type Actor, audited, type Desk } from '../audit/audited.ts'
import { OperationsError } from '../errors.ts'
import { patiently } from '../patiently.ts'

export type HandOverOptions = Actor & {
  /** Its name, as the durables' replicas say it. */
  server: string
  onMoved?: ((moved: MovedDurable) => void) | undefined
}

export type MovedDurable = {
  /** With the namespace. */
  readonly stream: string
  readonly durable: string
  /** The server that leads it now. */
  readonly leader: string
  /** How long nothing was delivered from it, ms. */
  readonly heldMs: number
}

const ASK_MS = 2000
/** What a leader sent before it was paused has arrived by then. */
const ARRIVED_MS = 100
/** What a pause lasts that nobody ends. */
const PAUSED_MOST_MS = 10_000
/** An election that fails at first takes up to nine seconds. */
const ELECTED_MS = 15_000
const MOST_TRIES = 5

/**
 * Hands over the durables of all streams of the account that `server` leads, one by one; each is paused for some 200 ms. Needs nats-server
 * 2.11, and `$JS.API.STREAM.NAMES`, `$JS.API.CONSUMER.LIST.>`, `$JS.API.CONSUMER.INFO.>`, `$JS.API.CONSUMER.PAUSE.>` and
 * `$JS.API.CONSUMER.LEADER.STEPDOWN.>`.
 * @throws OperationsError OPERATIONS_INVALID_OPTIONS | OPERATIONS_NOT_AUDITED, with nothing done; OPERATIONS_HAND_OVER_FAILED
 */
export async function handOver(
  desk: Desk,
  { server, onMoved = () => undefined, ...actor }: HandOverOptions,
): Promise<readonly MovedDurable[]> {
  const { nats } = desk.mesh
  const jsm = await jetstreamManager(nats, { checkAPI: false, timeout: ASK_MS })
  const all = await replicated(jsm)
  const servers = new Set(all.flatMap(({ cluster }) => [cluster?.leader ?? '', ...peersOf(cluster)]))
  if (!servers.has(server)) throw unknown(server, [...servers])
  const led = all.filter(({ cluster }) => cluster?.leader === server)
  const act = {
    ...actor,
    action: 'server.hand-over',
    target: server,
    before: { leads: led.length },
    after: { leads: 0 },
  }
  return await audited(desk, act, async () => {
    const moved: MovedDurable[] = []
    for (const info of led) {
      const one = await move(nats, jsm, info)
      moved.push(one)
      onMoved(one)
    }
    return moved
  })
}

function unknown(server: string, servers: readonly string[]): OperationsError {
  const names = servers.filter((name) => name !== '').join(', ')
  return new OperationsError(
    'OPERATIONS_INVALID_OPTIONS',
    `server ${server} has no replica of a durable; ${names === '' ? 'no durable has more than one' : `${names} have`}`,
  )
}

const peersOf = (cluster: ConsumerInfo['cluster']): string[] => (cluster?.replicas ?? []).map(({ name }) => name)

/** Those that another server could lead. */
async function replicated(jsm: JetStreamManager): Promise<ConsumerInfo[]> {
  const found: ConsumerInfo[] = []
  for await (const stream of jsm.streams.names())
    for await (const info of jsm.consumers.list(stream)) if (peersOf(info.cluster).length > 0) found.push(info)
  return found
}

async function move(nats: NatsConnection, jsm: JetStreamManager, info: ConsumerInfo): Promise<MovedDurable> {
  const { stream_name: stream, name: durable, cluster } = info
  let why: unknown = 'it leads it still'
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const began = performance.now()
    try {
      await whilePaused(jsm, info, () => stepDown(nats, info))
      const heldMs = Math.round(performance.now() - began)
      const leader = await patiently(ELECTED_MS, () => leaderOf(jsm, info))
      if (leader !== cluster?.leader) return { stream, durable, leader, heldMs }
    } catch (error) {
      why = error
    }
  }
  throw new OperationsError(
    'OPERATIONS_HAND_OVER_FAILED',
    `server ${cluster?.leader} could not hand ${durable} of ${stream} over (${why instanceof Error ? why.message : String(why)}); what was handed over stays so`,
    { cause: why },
  )
}

/** Upholds H1 and H2. One that somebody paused before stays as it is. */
async function whilePaused(jsm: JetStreamManager, info: ConsumerInfo, work: () => Promise<void>): Promise<void> {
  if (info.paused) return await work()
  const { stream_name: stream, name } = info
  const until = new Date(Date.now() + PAUSED_MOST_MS)
  try {
    const { paused } = await jsm.consumers.pause(stream, name, until)
    if (!paused) throw new Error(`it was not paused until ${until.toISOString()}: is the clock of this host behind?`)
    await sleep(ARRIVED_MS)
    await work()
  } finally {
    await patiently(PAUSED_MOST_MS, () => jsm.consumers.resume(stream, name)).catch(() => undefined)
  }
}

async function leaderOf(jsm: JetStreamManager, { stream_name: stream, name }: ConsumerInfo): Promise<string> {
  const { cluster } = await jsm.consumers.info(stream, name)
  if (!cluster?.leader) throw new Error('nobody leads it')
  return cluster.leader
}

/** The client has no call for it. */
async function stepDown(nats: NatsConnection, { stream_name: stream, name }: ConsumerInfo): Promise<void> {
  const answer = await nats.request(`$JS.API.CONSUMER.LEADER.STEPDOWN.${stream}.${name}`, '', { timeout: ASK_MS })
  const { error } = answer.json<{ error?: { description: string } }>()
  if (error) throw new Error(error.description)
}
