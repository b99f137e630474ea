import { isObject, isWithin, shown } from '../given.ts'
import type { HandlerDef } from './define.ts'

/** What is wrong with a handler's `inbox`. */
export function inboxFaults({ inbox, ackWaitMs }: Pick<HandlerDef, 'inbox' | 'ackWaitMs'>): string[] {
  if (inbox === undefined) return []
  if (!isObject(inbox)) return [`inbox is ${shown(inbox)}; { keepMs }`]
  const least = Math.max(1000, isWithin(ackWaitMs, 0) ? 2 * ackWaitMs : 0)
  if (isWithin(inbox.keepMs, least, Number.MAX_VALUE)) return []
  return [
    `inbox.keepMs is ${shown(inbox.keepMs)}; at least ${least}, twice ackWaitMs, so that a redelivery is recognised`,
  ]
}
