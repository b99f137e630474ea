import { JetStreamApiError, jetstream } from '@nats-io/jetstream'
import { type KV, Kvm } from '@nats-io/kv'
import { type LeaseBucket, names } from '@malha/mesh'
import type { NatsConnection } from '@nats-io/transport-node'

/** A key that fits a bucket whatever the stream is called. */
export function keyOf(kind: 'writer' | 'position', stream: string): string {
  return `${kind}.${/^[A-Za-z0-9_-]+$/.test(stream) ? stream : `=${Buffer.from(stream).toString('base64url')}`}`
}

export type BucketOptions = {
  /** @default 1 */
  replicas?: number
  /** Whether the bucket may be made; else it has to be there, with TTLs allowed. @default true */
  mayCreate?: boolean
}

/** Opens `ARCHIVE_LEASES` of the namespace, makes it if it is not there. It holds who writes which stream, who migrates, and how far each stream is archived. */
export async function openLeaseBucket(
  nats: NatsConnection,
  namespace: string,
  { replicas = 1, mayCreate = true }: BucketOptions = {},
): Promise<LeaseBucket> {
  const js = jetstream(nats, { timeout: 5_000 })
  const name = names(namespace).bucket('ARCHIVE_LEASES')
  const kvm = new Kvm(js)
  // Read-your-write: a replica that lags would show a lease that is gone.
  const settings = { history: 1, markerTTL: 1_000, max_bytes: 16 * 1024 ** 2, allow_direct: false, replicas }
  const open = async (): Promise<KV> => await kvm.open(name, { allow_direct: false })
  const kv = !mayCreate
    ? await open()
    : await kvm.create(name, settings).catch(async (error: unknown) => {
        // Made with other options, e.g. replicas, by whoever deploys the topology: theirs count.
        if (error instanceof JetStreamApiError && error.code === STREAM_NAME_IN_USE) return await open()
        throw error
      })
  return { kv, js, subject: (key) => `$KV.${name}.${key}` }
}

const STREAM_NAME_IN_USE = 10058
