import { channel } from 'node:diagnostics_channel'

/**
 * How far a delivery is: `delivered` to this process, its attempt `started`, the handler `returned`, its outputs `stored`,
 * and `settled`: the server was told.
 */
export type Stage = 'delivered' | 'started' | 'returned' | 'stored' | 'settled'

/** What subscribers of `malha:delivery` (node:diagnostics_channel) get. */
export type StageEvent = { stage: Stage; service: string; handler: string; stream: string; seq: number }

const stages = channel('malha:delivery')

/** Tells whoever listens; costs a property read when nobody does. */
export function tellStage(
  stage: Stage,
  about: { service: string; handler: string; source: { stream: string; seq: number } },
): void {
  if (!stages.hasSubscribers) return
  const { service, handler, source } = about
  stages.publish({ stage, service, handler, stream: source.stream, seq: source.seq } satisfies StageEvent)
}
