import type { Mesh } from '@malha/mesh'
import { READ_MS } from './deadline.ts'

/**
 * Whether the broker is there, or was a moment ago: a request that needs it is refused at once when it is not. A connection
 * that moves to another server is away for less than whoever reads waits.
 */
export function watchConnection(mesh: Mesh): () => boolean {
  let isUp = false
  let lostAt = -Infinity
  const watch = async (): Promise<void> => {
    await mesh.connected()
    const { nats } = mesh
    isUp = !nats.isClosed()
    for await (const { type } of nats.status()) {
      if (type === 'disconnect') {
        isUp = false
        lostAt = performance.now()
      }
      if (type === 'reconnect') isUp = true
    }
    isUp = false
    lostAt = -Infinity
  }
  // It rejects when the mesh is closed before it was there.
  watch().catch(() => undefined)
  return () => (isUp || performance.now() - lostAt < READ_MS) && !mesh.nats.isClosed()
}
