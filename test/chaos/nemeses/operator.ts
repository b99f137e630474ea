/** What an operator finds and does with the brokers' own API. */
import { type ConsumerInfo, jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'

const PATIENCE_MS = 5_000

/** All of them, by name. */
export async function streamNames(nats: NatsConnection): Promise<string[]> {
  const names: string[] = []
  for await (const name of (await manager(nats)).streams.names()) names.push(name)
  return names.toSorted()
}

/** All consumers that outlive who uses them, by stream and name. */
export async function durables(nats: NatsConnection): Promise<ConsumerInfo[]> {
  const jsm = await manager(nats)
  const found: ConsumerInfo[] = []
  for (const stream of await streamNames(nats))
    for await (const info of jsm.consumers.list(stream)) if (info.config.durable_name !== undefined) found.push(info)
  return found.toSorted((a, b) => placeOf(a).localeCompare(placeOf(b)))
}

/** For people, and the same in each run. */
export function placeOf({ stream_name: stream, name }: Pick<ConsumerInfo, 'stream_name' | 'name'>): string {
  return `${stream} > ${name}`
}

/**
 * Asks for what the client has no function for.
 * @param what the subject behind `$JS.API.`
 * @throws Error with what the broker says
 */
export async function askBrokers(nats: NatsConnection, what: string): Promise<void> {
  const answer = await nats.request(`$JS.API.${what}`, undefined, { timeout: PATIENCE_MS })
  const { error } = answer.json<{ error?: { description: string } }>()
  if (error) throw new Error(`${what}: ${error.description}`)
}

export function manager(nats: NatsConnection): ReturnType<typeof jetstreamManager> {
  return jetstreamManager(nats, { checkAPI: false, timeout: PATIENCE_MS })
}
