import { PermissionViolationError } from '@nats-io/transport-node'

/** A durable as the server names it. */
type Durable = { stream: string; durable: string }

/** What to do when the server refuses a handler's acks: without them nothing is ever done, and everything comes again. */
export function deniedAck(error: Error, handler: string, durables: readonly Durable[]): string | undefined {
  if (!(error instanceof PermissionViolationError) || error.operation !== 'publish') return undefined
  const own = durables.map(({ stream, durable }) => `$JS.ACK.${stream}.${durable}.`)
  const denied = own.find((prefix) => error.subject.startsWith(prefix))
  return denied && `handler ${handler}: this user may not ack; allow it to publish on ${denied}>`
}
