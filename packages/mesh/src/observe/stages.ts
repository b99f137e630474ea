import { channel } from 'node:diagnostics_channel'

/**
 * How far a delivery is: `delivered` to this process, its attempt `started`, the handler `returned`, its outputs `stored`,
 * and `settled`: the server was told.
 */
export type Stage = 'delivered' | 'started' | 'returned' | 'stored' | 'settled'

/** What subscribers of `malha:delivery` (node:diagnostics_channel) get. */
export type StageEvent = { stage: Stage; service: string; handler: string; stream: string; seq: number }

const stages = channel('malha:delivery')

/** Whether anybody listens: nothing is made for a stage that nobody hears of. */
export const isListening = (): boolean => stages.hasSubscribers

/** Tells whoever listens; costs a property read when nobody does. */
export function tellStage(
  stage: Stage,
  labels: { service: string; handler: string },
  delivery: { source: { stream: string; seq: number } },
): void {
  if (!isListening()) return
  const { service, handler } = labels
  const { stream, seq } = delivery.source
  stages.publish({ stage, service, handler, stream, seq } satisfies StageEvent)
}
