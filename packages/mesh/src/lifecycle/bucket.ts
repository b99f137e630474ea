import { type KV, Kvm } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import type { PublishPipeline } from '../publish/pipeline.ts'
import { askAgain } from '../topology/ask-again.ts'
import type { Names } from '../topology/names.ts'
import { bucketClient } from './bucket-writes.ts'

export type BucketOptions = {
  /** Values kept a key. @default 1 */
  history?: number
  /** Size at which writing is refused, bytes. @default 256 MiB */
  maxBytes?: number
  /** Age at which an entry is removed, ms. @default never */
  ttlMs?: number
}

/**
 * Opens a key-value bucket of the namespace; makes it where it is missing and `topology` allows.
 * @throws MeshError MESH_INVALID_OPTIONS | MESH_TOPOLOGY
 */
export async function openBucket(
  { nc, names, pipeline }: { nc: NatsConnection; names: Names; pipeline: PublishPipeline },
  spec: { name: string; replicas: number | undefined; mayCreate: boolean } & BucketOptions,
): Promise<KV> {
  if (!/^[A-Z][A-Z0-9_-]{0,63}$/.test(spec.name))
    throw new MeshError(
      'MESH_INVALID_OPTIONS',
      `bucket ${JSON.stringify(spec.name.slice(0, 64))}: A-Z, 0-9, _ and -, e.g. CENTER_STATUS`,
    )
  const bucket = names.bucket(spec.name)
  const kvm = new Kvm(bucketClient(nc, pipeline))
  try {
    if (!spec.mayCreate) return await kvm.open(bucket, { allow_direct: false })
    const config = {
      history: spec.history ?? 1,
      max_bytes: spec.maxBytes ?? 256 * 1024 ** 2,
      // Read-your-write: only the leader answers.
      allow_direct: false,
      ...(spec.ttlMs === undefined ? {} : { ttl: spec.ttlMs }),
      ...(spec.replicas === undefined ? {} : { replicas: spec.replicas }),
    }
    return await askAgain(() => kvm.create(bucket, { ...config }))
  } catch (cause) {
    throw new MeshError(
      'MESH_TOPOLOGY',
      `bucket ${bucket} cannot be opened${spec.mayCreate ? '' : '; topology is not ensure, so create it first'}`,
      { cause },
    )
  }
}
