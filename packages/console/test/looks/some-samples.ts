import type { HandlerInstance, HandlerLag, ListedHandler } from '@malha/operations'
import type { Sample } from '../../src/looks/sampler.ts'

export const T0: number = Date.parse('2026-11-22T10:00:00.000Z')

export const instance = (id: string, over: Partial<HandlerInstance> = {}): HandlerInstance => ({
  instance: `shop-${id}`,
  id,
  version: '1',
  at: new Date(T0).toISOString(),
  startedAt: new Date(T0 - 60_000).toISOString(),
  denied: null,
  handler: 'bill',
  source: 'order.placed',
  stream: 'ORDERS',
  durables: [],
  batch: null,
  concurrency: 4,
  rateLimit: null,
  declared: { concurrency: 4, rateLimit: null },
  running: 0,
  ready: 0,
  retrying: 0,
  leaked: 0,
  breaker: { state: 'closed', since: null, probeAt: null },
  delayedUntil: null,
  paused: null,
  fault: null,
  partitions: null,
  seen: null,
  ...over,
})

/** As a process says it after so many seconds, with what it counted. */
export const counted = (id: string, seconds: number, [done, failed]: readonly [number, number]): HandlerInstance =>
  instance(id, { at: new Date(T0 + seconds * 1000).toISOString(), counts: { done, failed } })

export const lagOf = (messages: number, oldestMs = 0): HandlerLag => ({
  messages,
  pending: messages,
  ackPending: 0,
  redelivered: 0,
  oldestMs,
  headroomMs: null,
})

export const handler = (over: Partial<ListedHandler> = {}): ListedHandler => ({
  service: 'shop',
  handler: 'bill',
  source: 'order.placed',
  streams: ['ORDERS'],
  durables: [],
  isOrdered: false,
  isShadow: false,
  heldKeys: null,
  lag: lagOf(0),
  lane: { stream: 'LANES_SHOP', durable: 'shop_bill', pending: 0, ackPending: 0 },
  paused: null,
  said: {},
  fault: null,
  revision: 0,
  breaker: { state: 'closed', since: null, probeAt: null },
  running: 0,
  instances: [instance('a')],
  ...over,
})

export const sample = (seconds: number, listed: ListedHandler, { open = 0, lastSeq = 0 } = {}): Sample => ({
  atMs: T0 + seconds * 1000,
  handlers: [listed],
  streams: [{ name: 'ORDERS', lastSeq } as never],
  instances: [],
  said: { services: [], missing: [] },
  open: new Map([['shop/bill', open]]),
  missing: [],
})

/** With what processes of `shop` say that they published of `order.paid`, by id; `fresh` ones began a second before. */
export function publishing(
  seconds: number,
  counts: Readonly<Record<string, readonly [number, number]>>,
  fresh: Readonly<Record<string, readonly [number, number]>> = {},
): Sample {
  const at = (after: number): string => new Date(T0 + after * 1000).toISOString()
  const process =
    (startedAt: string) =>
    ([id, [stored, failed]]: readonly [string, readonly [number, number]]) => ({
      service: 'shop',
      id,
      at: at(seconds),
      startedAt,
      published: [{ type: 'order.paid', stored, failed }],
    })
  const instances = [
    ...Object.entries(counts).map(process(at(-60))),
    ...Object.entries(fresh).map(process(at(seconds - 1))),
  ]
  return { ...sample(seconds, handler()), instances }
}
