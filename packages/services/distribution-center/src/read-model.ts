import type { Mesh } from '@malha/mesh'
import { BROKER_MS } from './mesh/deadline.ts'
import type { ReadModel } from './service.ts'
import { centerRegistry } from './status/registry.ts'
import { statusStore } from './status/store.ts'

const REGISTRY = 'CENTER_REGISTRY'

/** Opens the read model's two buckets in the mesh's namespace, and makes them where they are missing. */
export async function openReadModel(mesh: Mesh): Promise<ReadModel> {
  const [statuses, order] = await Promise.all([
    mesh.bucket('CENTER_STATUS'),
    mesh.bucket(REGISTRY, { maxBytes: 64 * 1024 ** 2 }),
  ])
  const registry = await centerRegistry(mesh.nats, order, { bucket: mesh.names.bucket(REGISTRY), timeoutMs: BROKER_MS })
  return { statuses: statusStore(statuses), registry }
}
