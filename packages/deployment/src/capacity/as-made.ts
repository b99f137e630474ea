import { defineService, event, meshStream, on, plannedTopology, stream } from '@malha/mesh'
import type { Load } from './load.ts'

/** What the mesh makes, and how, taken from the mesh itself. */
export type AsMade = {
  /** Streams of the mesh itself, without those of events and lanes. */
  readonly ownStreams: number
  readonly durablesPerHandler: number
  /** `max_ack_pending` of a handler's durable. */
  readonly inHand: number
  readonly duplicateWindowMs: number
  readonly partitions: number
  /** Of a stream that does not say its size. */
  readonly streamBytes: number
  /** Of `MESH`, which evicts its oldest. */
  readonly meshBytes: number
  /** Of `DEAD_LETTERS`. */
  readonly lettersBytes: number
}

/** Looks at a mesh of one stream and one handler such as the load has. */
export function asMade({ keys, ordered, concurrency }: Pick<Load, 'keys' | 'ordered' | 'concurrency'>): AsMade {
  const schema = { '~standard': { version: 1, vendor: 'capacity', validate: (value: unknown) => ({ value }) } } as const
  const samples = stream('SAMPLES', { subjects: ['sample.>'] })
  const contract = event('sample.taken', { stream: samples, schema, ...(keys > 0 && { key: () => 'key' }) })
  const options = { startFrom: 'all', concurrency } as const
  const handler = ordered ? on(contract, { ...options, order: 'key' }, () => {}) : on(contract, options, () => {})
  const { streams, consumers } = plannedTopology([defineService('sample', { handlers: { handler } })])
  const own = streams.filter(({ name }) => !['SAMPLES', 'LANES_SAMPLE'].includes(name))
  return {
    ownStreams: own.length,
    durablesPerHandler: consumers.length,
    inHand: consumers[0]?.config.max_ack_pending ?? 0,
    duplicateWindowMs: samples.duplicateWindowMs,
    partitions: samples.partitions,
    streamBytes: samples.maxBytes,
    meshBytes: meshStream.maxBytes,
    lettersBytes: own.find(({ name }) => name === 'DEAD_LETTERS')?.max_bytes ?? 0,
  }
}
