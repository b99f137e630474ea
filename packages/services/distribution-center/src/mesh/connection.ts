import type { Mesh } from '@malha/mesh'

/** Whether the broker is there right now: a request that needs it is refused at once when it is not. */
export function watchConnection(mesh: Mesh): () => boolean {
  let isUp = false
  const watch = async (): Promise<void> => {
    await mesh.connected()
    const { nats } = mesh
    isUp = !nats.isClosed()
    for await (const { type } of nats.status()) {
      if (type === 'disconnect') isUp = false
      if (type === 'reconnect') isUp = true
    }
    isUp = false
  }
  // It rejects when the mesh is closed before it was there.
  watch().catch(() => undefined)
  return () => isUp && !mesh.nats.isClosed()
}
