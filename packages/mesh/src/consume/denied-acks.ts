import { PermissionViolationError } from '@nats-io/transport-node'
import type { RunnerOptions } from './runner-options.ts'

/** What to do when the server refuses this handler's acks: without them nothing is ever done, and everything comes again. */
export function deniedAck(error: Error, { names, service, handler, stream }: RunnerOptions): string | undefined {
  if (!(error instanceof PermissionViolationError) || error.operation !== 'publish') return undefined
  const durable = names.durable(service.name, handler)
  const own = [stream, names.lanes(service.name)].map((from) => `$JS.ACK.${from}.${durable}.`)
  const denied = own.find((prefix) => error.subject.startsWith(prefix))
  return denied && `handler ${handler}: this user may not ack; allow it to publish on ${denied}>`
}
