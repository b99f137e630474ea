import { isWithin, shown } from '../../given.ts'
import type { HandlerDef } from '../../service/define.ts'

/** What is wrong with a handler's `order`, one sentence each; none when all is well. */
export function orderFaults({
  order,
  source,
  ackWaitMs,
  onDeadLetter,
}: Pick<HandlerDef, 'order' | 'source' | 'ackWaitMs' | 'onDeadLetter'>): string[] {
  if (order === undefined) {
    if (onDeadLetter === undefined) return []
    return [`onDeadLetter is ${shown(onDeadLetter)}, and it keeps no order; give it order: 'key', or leave it out`]
  }
  if (order !== 'key') return [`order is ${shown(order)}; 'key' is the one there is`]
  const faults: string[] = []
  if (onDeadLetter !== undefined && onDeadLetter !== 'hold-key' && onDeadLetter !== 'skip')
    faults.push(`onDeadLetter is ${shown(onDeadLetter)}; 'hold-key' or 'skip'`)
  if (source.kind !== 'topic' && source.priorities)
    faults.push(`order: 'key' and the priorities of ${source.type} exclude each other; drop one of them`)
  if (source.kind === 'topic')
    faults.push(`order: 'key' needs a contract, and ${source.pattern} is a topic; give each type a handler of its own`)
  else if (source.key === undefined)
    faults.push(`order: 'key' needs a key, and ${source.type} has none; give its contract a key`)
  if (!isWithin(ackWaitMs, 2000) || ackWaitMs % 1000 !== 0)
    faults.push(
      `ackWaitMs is ${shown(ackWaitMs)}; with order: 'key' whole seconds from 2000 (NATS counts a lease in seconds)`,
    )
  return faults
}
