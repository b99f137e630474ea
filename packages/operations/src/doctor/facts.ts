/** What the server says, read once for all checks. Reads only. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Mesh, Names, ServiceContracts } from '@malha/mesh'
import type { ConsumerInfo, StreamInfo } from '@nats-io/jetstream'
import { OperationsError } from '../errors.ts'
import { readSaid } from '../contracts/said.ts'

/** A durable of a handler at two moments, so that one that stands still can be told from one between two pulls. */
export type Watched = { readonly first: ConsumerInfo; readonly now: ConsumerInfo }

export type Facts = {
  readonly names: Names
  /** Of this namespace. */
  readonly streams: readonly StreamInfo[]
  /** Streams of this namespace that have no leader, by name. */
  readonly leaderless: readonly string[]
  /** Durables of handlers and of delays. */
  readonly durables: readonly Watched[]
  /** Undefined where no service said anything, or what they said could not be read. */
  readonly services: readonly ServiceContracts[] | undefined
  /** Why what services said could not be read; undefined where it was. */
  readonly servicesError?: unknown
}

const ASK_MS = 10_000

type Page = {
  total?: number
  streams?: StreamInfo[]
  consumers?: ConsumerInfo[]
  missing?: string[]
  error?: { description?: string }
}

/** `againAfterMs`: what lies between the two looks at a durable that seems to stand still. */
export async function readFacts(mesh: Mesh, { againAfterMs }: { againAfterMs: number }): Promise<Facts> {
  const { names } = mesh
  const listed = await pages(mesh, 'STREAM.LIST')
  const missing = new Set(listed.flatMap((page) => page.missing ?? []))
  const streams = listed
    .flatMap((page) => page.streams ?? [])
    .filter(({ config }) => namespaceOf(config.name) === names.namespace)
  const first = await durablesOf(mesh, streams)
  const isStill = ({ num_pending, num_ack_pending }: ConsumerInfo): boolean => num_pending + num_ack_pending > 0
  const again = first.some(isStill) ? (await pause(againAfterMs), await durablesOf(mesh, streams)) : first
  const later = new Map(again.map((info) => [`${info.stream_name} ${info.name}`, info]))
  return {
    names,
    streams,
    leaderless: [...missing].filter((name) => namespaceOf(name) === names.namespace),
    durables: first.flatMap((info) => {
      const now = later.get(`${info.stream_name} ${info.name}`)
      return now ? [{ first: info, now }] : []
    }),
    ...(await readServices(mesh)),
  }
}

/** Whoever may not read it may look at all else. */
async function readServices(mesh: Mesh): Promise<Pick<Facts, 'services' | 'servicesError'>> {
  try {
    return { services: await readSaid(mesh) }
  } catch (error) {
    const isNone = error instanceof OperationsError && error.code === 'OPERATIONS_NO_CONTRACTS'
    return { services: undefined, ...(!isNone && { servicesError: error }) }
  }
}

/** `staging` of `staging_CENTERS` and `KV_staging_RUNS`; names of streams begin with a capital, namespaces do not. */
export function namespaceOf(stream: string): string {
  return /^(?:KV_)?([a-z0-9-]+)_[A-Z]/.exec(stream)?.[1] ?? ''
}

async function durablesOf(mesh: Mesh, streams: readonly StreamInfo[]): Promise<ConsumerInfo[]> {
  const all: ConsumerInfo[] = []
  for (const { config, state } of streams) {
    if (state.consumer_count === 0) continue
    const found = (await pages(mesh, `CONSUMER.LIST.${config.name}`)).flatMap((page) => page.consumers ?? [])
    all.push(...found.filter((info) => info.config.durable_name !== undefined))
  }
  return all
}

/** All pages of a list of the JetStream API. */
async function pages({ nats }: Mesh, api: string): Promise<Page[]> {
  const read: Page[] = []
  for (let offset = 0; ;) {
    const query = JSON.stringify({ offset })
    const page = (await nats.request(`$JS.API.${api}`, query, { timeout: ASK_MS })).json<Page>()
    if (page.error) throw new Error(`${api}: ${page.error.description}`)
    read.push(page)
    const count = (page.streams ?? page.consumers ?? []).length
    offset += count
    if (count === 0 || offset >= (page.total ?? 0)) return read
  }
}
