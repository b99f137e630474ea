import { defineService, type ServiceDef } from '@malha/mesh'

/** A service that does nothing but answer. */
export function withReply(replies: ServiceDef['replies']): ServiceDef {
  return defineService('numbers', { handlers: {}, replies })
}

/** A request that was just subscribed to may not be known to every server of a cluster yet. */
export const known: { waitForResponder: true; timeoutMs: number } = { waitForResponder: true, timeoutMs: 30_000 }
