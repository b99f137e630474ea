import type { NatsConnection } from '@nats-io/transport-node'

/** Writes commands of the NATS protocol, `messages` of them, to a connection: all in one go, as they are. */
export type CommandWriter = (messages: number, commands: Uint8Array) => void

/** What the client writes with (nats-core 3.4, protocol.ts). */
type Protocol = { outMsgs: number; outBytes: number; sendCommand(command: Uint8Array): void }

/**
 * For those who write by the thousand: the client's `publish` checks, encodes and copies for each message what is the same
 * for all, which for an ack is more than all else that is done for it. Nothing is checked here: `canWrite`, subjects without
 * white space, and the server's `max_payload` are the caller's.
 * Undefined where the client has no such way inside: it is not public. Then `publish` does.
 */
export function commandWriter(nc: NatsConnection): CommandWriter | undefined {
  const { protocol } = nc as { protocol?: Partial<Protocol> }
  if (typeof protocol?.sendCommand !== 'function' || typeof protocol.outMsgs !== 'number') return undefined
  const way = protocol as Protocol
  return (messages, commands) => {
    way.outMsgs += messages
    way.outBytes += commands.length
    way.sendCommand(commands)
  }
}

/** Whether the client would take a publish now. */
export const canWrite = (nc: NatsConnection): boolean => !nc.isClosed() && !nc.isDraining()
