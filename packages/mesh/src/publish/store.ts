import type { PublishRequest } from './pipeline.ts'
import type { PubAck } from './pub-ack.ts'

/** Of a mesh, for the library itself: its pipeline. */
export const STORE: unique symbol = Symbol('store')

export type Stores = {
  /** Stores what is no event of a contract. @throws MeshError as the pipeline does */
  [STORE](request: PublishRequest): Promise<PubAck>
}
