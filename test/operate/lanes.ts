import { setTimeout as sleep } from 'node:timers/promises'
import type { Mesh } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'

const WINDOW_MS = 1000

/** What lies on the lanes of a service. */
export function lanesOf(mesh: Mesh, service: string) {
  const name = mesh.names.lanes(service)
  return {
    /** By which the server tells a second copy, of each message that is there. */
    async ids(): Promise<string[]> {
      const jsm = await jetstreamManager(mesh.nats)
      const { state } = await jsm.streams.info(name)
      if (state.messages === 0) return []
      const found: string[] = []
      const batch = await jsm.direct.getBatch(name, { seq: state.first_seq, batch: state.messages })
      for await (const { header } of batch) found.push(header.get('Nats-Msg-Id'))
      return found
    },
    /** Resolves when the server has forgotten all ids; the usual window is five minutes, this one is made short. */
    async outliveWindow(): Promise<void> {
      const jsm = await jetstreamManager(mesh.nats)
      await jsm.streams.update(name, { duplicate_window: WINDOW_MS * 1e6 })
      await sleep(2 * WINDOW_MS)
    },
  }
}
