import { tellHandler } from '../letters/tell-handler.ts'
import { type Mesh, type RunMessage, sendRunMessage } from '@malha/mesh'

type ToSend = { readonly message: RunMessage; readonly payload: Uint8Array }

/**
 * Sends messages side by side, but those of one key to a handler that keeps their order one after the other: one that has to be
 * sent again would be found behind its successor. Then tells such handlers, which would find them by themselves seconds later.
 * @throws what the server said, or did not say
 */
export async function sendInOrder(mesh: Mesh, messages: readonly ToSend[]): Promise<void> {
  const plain = messages.filter(({ message }) => message.token === undefined)
  const ordered = messages.filter(({ message }) => message.token !== undefined)
  const lines = Map.groupBy(ordered, ({ message: { service, handler, token } }) => `${service} ${handler} ${token}`)
  await Promise.all([
    ...plain.map(({ message, payload }) => sendRunMessage(mesh, message, payload)),
    ...[...lines.values()].map((line) => sendLine(mesh, line)),
  ])
  const told = Map.groupBy(ordered, ({ message: { service, handler } }) => `${service} ${handler}`)
  for (const [first] of told.values()) tellHandler(mesh, first!.message)
}

async function sendLine(mesh: Mesh, line: readonly ToSend[]): Promise<void> {
  for (const { message, payload } of line) await sendRunMessage(mesh, message, payload)
}
