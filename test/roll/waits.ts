import type { Evidence } from './evidence.ts'
import type { StageLine } from './recorder.ts'

/** How one handler fared over a roll. */
export type HandlerWaits = {
  handler: string
  messages: number
  /** After it the server gives a message to another process. */
  ackWaitMs: number
  /** From stored to settled. */
  p50Ms: number
  p99Ms: number
  maxMs: number
  /** Deliveries that the server counts. */
  deliveries: number
  /** Of these, further ones of a message that a process had before. */
  again: number
  /** Of these, such as came to no process: they were on the way to one that had gone. */
  unseen: number
  /** The longest time between two deliveries of one message. */
  longestGapMs: number
  /** Messages that waited for `ack_wait`: `<stream> <seq>`. */
  waited: string[]
  /** Such as were just being delivered when a server handed its leaderships over. */
  handedOver: string[]
}

/** How long before a server begins to hand over what it is just delivering was stored, and how long that takes, ms. */
const HANDOVER = { beforeMs: 2000, afterMs: 3000 }

/** What each handler with durables did with its messages. */
export function waitsOf(evidence: Pick<Evidence, 'stages' | 'stored' | 'durables' | 'brokers'>): HandlerWaits[] {
  const { stages, stored, durables, brokers } = evidence
  const isHandover = (at: number): boolean =>
    brokers.some(({ beganAt }) => at > beganAt - HANDOVER.beforeMs && at < beganAt + HANDOVER.afterMs)
  const storedAt = new Map(stored.map(({ stream, seq, time }) => [`${stream} ${seq}`, time]))
  const byHandler = Map.groupBy(stages, ({ handler }) => handler)
  const handlers = [...new Set(durables.map(({ handler }) => handler))].sort()
  return handlers.map((handler) => {
    const own = durables.filter((one) => one.handler === handler)
    const ackWaitMs = Math.min(...own.map((one) => one.ackWaitMs))
    const deliveries = own.reduce((sum, one) => sum + one.deliveries, 0)
    const messages = Map.groupBy(byHandler.get(handler) ?? [], ({ stream, seq }) => `${stream} ${seq}`)
    const all = [...messages].map(([message, lines]) => ({ message, ...timesOf(lines, storedAt.get(message)) }))
    const settled = all.map(({ settledMs }) => settledMs).filter((ms) => ms !== undefined)
    const seen = all.reduce((sum, one) => sum + one.deliveries, 0)
    const late = all.filter(
      ({ settledMs = 0, deliveredMs, gapMs }) => Math.max(settledMs, deliveredMs, gapMs) >= ackWaitMs,
    )
    const [handedOver = [], waited = []] = [true, false].map((is) =>
      late.filter(({ message }) => isHandover(storedAt.get(message) ?? 0) === is).map(({ message }) => message),
    )
    return {
      handler,
      messages: all.length,
      ackWaitMs,
      p50Ms: quantile(settled, 0.5),
      p99Ms: quantile(settled, 0.99),
      maxMs: quantile(settled, 1),
      deliveries,
      again: seen - all.length,
      unseen: Math.max(0, deliveries - seen),
      longestGapMs: Math.max(0, ...all.map(({ gapMs }) => gapMs)),
      waited,
      handedOver,
    }
  })
}

type Times = { deliveries: number; deliveredMs: number; settledMs: number | undefined; gapMs: number }

function timesOf(lines: readonly StageLine[], storedAt = Number.NaN): Times {
  const at = (stage: string): number[] => lines.filter((line) => line.stage === stage).map((line) => line.at)
  const delivered = at('delivered').sort((a, b) => a - b)
  const settled = at('settled')
  const gaps = delivered.slice(1).map((time, index) => time - delivered[index]!)
  return {
    deliveries: delivered.length,
    deliveredMs: (delivered[0] ?? Number.POSITIVE_INFINITY) - storedAt,
    settledMs: settled.length === 0 ? undefined : Math.max(...settled) - storedAt,
    gapMs: Math.max(0, ...gaps),
  }
}

/** Rounded; 0 of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const index = Math.max(0, Math.ceil(share * sorted.length) - 1)
  return Math.round((sorted[index] ?? 0) * 10) / 10
}
