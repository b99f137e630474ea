import type { Mesh } from '../lifecycle/mesh.ts'
import { HeaderBlock, headerLines } from '../message/headers.ts'
import { STORE } from '../publish/store.ts'
import { type RunMessage, runMessage } from './run-message.ts'

/** An election takes up to nine seconds. */
const SEND_MS = 15_000

/**
 * Brings an event to one handler's lane, and to nobody else. Resolves when it is stored there.
 * @throws MeshError MESH_PUBLISH_TIMEOUT | MESH_NO_STREAM | MESH_PUBLISH_REFUSED | MESH_CLOSED
 */
export async function sendRunMessage(mesh: Mesh, message: RunMessage, payload: Uint8Array): Promise<void> {
  const { subject, headers } = runMessage(mesh.names, message)
  // As text: thousands wait for their answer, and pairs would be kept until then.
  await mesh[STORE]({ subject, headers: new HeaderBlock(headerLines(headers)), payload, timeoutMs: SEND_MS })
}
