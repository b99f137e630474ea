import type { ConsumerInfo } from '@nats-io/jetstream'

/** What its durable on the lanes tells of a handler: what it takes, from where, and how. */
export type FoundHandler = {
  readonly service: string
  readonly handler: string
  /** The type it takes, or the pattern of a topic. */
  readonly type: string
  /** Event streams it ever read, as the server names them. */
  readonly streams: readonly string[]
  /** It keeps the order of its keys, and has no durable on its event stream. */
  readonly isOrdered: boolean
  /** It does so, and what runs send to it waits for its key. */
  readonly takesRunsByKey: boolean
  /** It is called by replays alone. */
  readonly isShadow: boolean
  readonly lane: ConsumerInfo
}

/** Undefined: a consumer that is no handler's. */
export function readLane(lane: ConsumerInfo): FoundHandler | undefined {
  const name = handlerOf(lane)
  if (!name) return undefined
  const { metadata = {} } = lane.config
  return {
    ...name,
    type: metadata['malha.type'] ?? '',
    streams: (metadata['malha.streams'] ?? '').split(' ').filter(Boolean),
    isOrdered: metadata['malha.order'] === 'key',
    takesRunsByKey: metadata['malha.runs'] === 'by-key',
    isShadow: metadata['malha.shadow'] === 'true',
    lane,
  }
}

/** Whose durable this is, on a lane or on an event stream. */
export function handlerOf({ config }: ConsumerInfo): Pick<FoundHandler, 'service' | 'handler'> | undefined {
  const { 'malha.service': service, 'malha.handler': handler } = config.metadata ?? {}
  return service && handler ? { service, handler } : undefined
}

/** Whether a durable is this handler's. */
export function isOf(durable: ConsumerInfo, { service, handler }: Pick<FoundHandler, 'service' | 'handler'>): boolean {
  const owner = handlerOf(durable)
  return owner?.service === service && owner.handler === handler
}
