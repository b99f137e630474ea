import { JetStreamApiError, type JetStreamClient, jetstream } from '@nats-io/jetstream'
import { type KV, Kvm } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import { scopedName } from '../naming.ts'

/** The KV bucket that holds who writes which stream, who migrates, and how far each stream is archived. */
export type LeaseBucket = {
  readonly kv: KV
  readonly js: JetStreamClient
  readonly subject: (key: string) => string
}

/** A key that fits a bucket whatever the stream is called. */
export function keyOf(kind: 'writer' | 'position', stream: string): string {
  return `${kind}.${/^[A-Za-z0-9_-]+$/.test(stream) ? stream : `=${Buffer.from(stream).toString('base64url')}`}`
}

/** Opens `ARCHIVE_LEASES` of the namespace, makes it if it is not there. */
export async function openLeaseBucket(
  nats: NatsConnection,
  namespace: string,
  replicas: number = 1,
): Promise<LeaseBucket> {
  const js = jetstream(nats, { timeout: 5_000 })
  const name = scopedName(namespace, 'ARCHIVE_LEASES')
  const kvm = new Kvm(js)
  const kv = await kvm.create(name, { history: 1, markerTTL: 1_000, replicas }).catch(async (error: unknown) => {
    // Made with other options, e.g. replicas, by whoever deploys the topology: theirs count.
    if (error instanceof JetStreamApiError && error.code === STREAM_NAME_IN_USE) return await kvm.open(name)
    throw error
  })
  return { kv, js, subject: (key) => `$KV.${name}.${key}` }
}

const STREAM_NAME_IN_USE = 10058
