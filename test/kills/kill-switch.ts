/**
 * Loaded into a process that is to be killed (`NODE_OPTIONS=--import`): counts what is in flight in it and ends a process
 * with SIGKILL at a given point. Idle until the process gets SIGUSR2; then it reads its orders. It writes down what it is
 * about to do before it does it, as nothing can be written afterwards.
 */
import { subscribe } from 'node:diagnostics_channel'
import { appendFileSync, readFileSync } from 'node:fs'
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Where a kill falls. The first five are stages of a delivery; the last two are an insert of the archive, before its first
 * byte left and after its last.
 */
export type KillPoint =
  | 'before handler'
  | 'in the partner call'
  | 'after return'
  | 'after publish'
  | 'after ack sent'
  | 'before insert'
  | 'insert sent'

export type KillOrder = {
  point: KillPoint
  /** How many have to be in flight, at least. */
  least: number
  /** Which process ends. @default this one */
  victim?: number
  /** For a kill in a call: whose. */
  partner?: PartnerAddress
}

/** Where a partner serves its API, and where its simulator tells what came in. */
export type PartnerAddress = { api: string; control: string }

/** A line of what was done. */
export type Kill = {
  point: KillPoint
  inFlight: number
  /** Requests that a partner had not answered, by its origin. */
  calls: Record<string, number>
  /** Of these an attempt was begun in this process, and their ack may not have left. */
  inHand: HandledMessage[]
  pid: number
}

/** Where the event of a handler's message stands, also when it is delivered from the handler's lane. */
export type HandledMessage = { handler: string; stream: string; seq: number }

type Stage = HandledMessage & { stage: string }
type PartnerRequest = { request: { origin: string | URL } }
type ClientRequest = { request: { path: string } }

const STAGES: Partial<Record<KillPoint, string>> = {
  'before handler': 'delivered',
  'after return': 'returned',
  'after publish': 'stored',
  'after ack sent': 'settled',
}
const POLL_MS = 10

const orders = process.env['KILL_ORDERS']!
const record = process.env['KILL_RECORD']!
const here = new Set<string>()
const inHand = new Map<string, HandledMessage>()
const calls = new Map<object, string>()
let order: KillOrder | undefined

subscribe('malha:delivery', (message) => {
  const { stage, handler, stream, seq } = message as Stage
  const name = `${handler} ${stream} ${seq}`
  if (stage === 'delivered') here.add(name)
  if (stage === 'started') inHand.set(name, { handler, stream, seq })
  if (stage === 'settled') {
    here.delete(name)
    // An ack is in the connection's buffer now and in the socket after this turn of the event loop; others went with it.
    setImmediate(() => inHand.delete(name))
  }
  if (!order || STAGES[order.point] !== stage || here.size < order.least) return
  if (stage === 'settled') setImmediate(() => kill(here.size))
  else kill(here.size)
})
subscribe('undici:request:create', (message) => {
  const { request } = message as PartnerRequest
  calls.set(request, new URL(request.origin).origin)
})
for (const end of ['undici:request:trailers', 'undici:request:error'])
  subscribe(end, (message) => void calls.delete((message as PartnerRequest).request))
subscribe('http.client.request.created', (message) => onInsert(message as ClientRequest, 'before insert'))
subscribe('http.client.request.start', (message) => onInsert(message as ClientRequest, 'insert sent'))

process.on('SIGUSR2', () => {
  const read = JSON.parse(readFileSync(orders, 'utf8')) as KillOrder
  if (read.partner) void atPartner(read, read.partner)
  else order = read
})

/** The rows of an insert are in its token, which names the first and the last. */
function onInsert({ request }: ClientRequest, point: KillPoint): void {
  if (order?.point !== point) return
  const token = new URL(request.path, 'http://clickhouse').searchParams.get('insert_deduplication_token') ?? ''
  const range = /:(\d+)-(\d+)/.exec(token)
  const rows = range ? Number(range[2]) - Number(range[1]) + 1 : 0
  if (rows >= order.least) kill(rows)
}

/** Waits until the partner has got a call that it had not before, and one of its calls is not answered. */
async function atPartner(read: KillOrder, { api, control }: PartnerAddress): Promise<void> {
  const before = await attemptsAt(control)
  for (;;) {
    const now = await attemptsAt(control)
    const isInCall = now > before && [...calls.values()].includes(api)
    if (isInCall && here.size >= read.least) break
    await sleep(POLL_MS)
  }
  order = read
  kill(here.size)
}

function attemptsAt(control: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get(`${control}/_received`, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve((JSON.parse(text) as { attempts: number }).attempts))
    }).on('error', reject)
  })
}

function kill(inFlight: number): void {
  if (!order || inFlight < order.least) return
  const { point, victim = process.pid } = order
  order = undefined
  const open: Record<string, number> = {}
  for (const origin of calls.values()) open[origin] = (open[origin] ?? 0) + 1
  const said: Kill = { point, inFlight, calls: open, inHand: [...inHand.values()], pid: victim }
  appendFileSync(record, `${JSON.stringify(said)}\n`)
  process.kill(victim, 'SIGKILL')
}
