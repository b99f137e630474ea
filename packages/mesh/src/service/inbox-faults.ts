import type { HandlerDef } from './define.ts'

/** What is wrong with a handler's `inbox`. */
export function inboxFaults({ inbox, ackWaitMs }: Pick<HandlerDef, 'inbox' | 'ackWaitMs'>): string[] {
  if (inbox === undefined) return []
  const least = Math.max(1000, 2 * ackWaitMs)
  if (Number.isFinite(inbox.keepMs) && inbox.keepMs >= least) return []
  return [`inbox.keepMs is ${inbox.keepMs}; at least ${least}, twice ackWaitMs, so that a redelivery is recognised`]
}
