import type { Mesh } from '@malha/mesh'
import type { LiveFact } from './facts.ts'
import type { PlacedHandler } from './topology.ts'

/** Of a handler; undefined where nobody could be asked. */
export type LiveFacts = (handler: Pick<PlacedHandler, 'service' | 'handler'>) => LiveFact | undefined

export function liveFacts(_mesh: Mesh, _handlers: readonly PlacedHandler[]): Promise<LiveFacts> {
  return Promise.resolve(() => undefined)
}
