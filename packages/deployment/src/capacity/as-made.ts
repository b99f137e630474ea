import { days, defineService, event, meshStream, on, plannedTopology, stream } from '@malha/mesh'
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
  /** Of the bucket `MESH_INBOX`, which all handlers with an inbox share. */
  readonly inboxBytes: number
}

/** Looks at a mesh of one stream and one handler such as the load has. */
export function asMade(load: Pick<Load, 'keys' | 'ordered' | 'concurrency' | 'inboxHandlers'>): AsMade {
  const { keys, ordered, concurrency, inboxHandlers } = load
  const schema = { '~standard': { version: 1, vendor: 'capacity', validate: (value: unknown) => ({ value }) } } as const
  const samples = stream('SAMPLES', { subjects: ['sample.>'] })
  const contract = event('sample.taken', { stream: samples, schema, ...(keys > 0 && { key: () => 'key' }) })
  const inbox = inboxHandlers > 0 && { inbox: { keepMs: days(1) } }
  const options = { startFrom: 'all', concurrency, ...inbox } as const
  const handler = ordered ? on(contract, { ...options, order: 'key' }, () => {}) : on(contract, options, () => {})
  const { streams, consumers } = plannedTopology([defineService('sample', { handlers: { handler } })])
  const own = streams.filter(({ name }) => !['SAMPLES', 'LANES_SAMPLE'].includes(name))
  const bytesOf = (stream: string): number => own.find(({ name }) => name === stream)?.max_bytes ?? 0
  return {
    ownStreams: own.length,
    durablesPerHandler: consumers.length,
    inHand: consumers[0]?.config.max_ack_pending ?? 0,
    duplicateWindowMs: samples.duplicateWindowMs,
    partitions: samples.partitions,
    streamBytes: samples.maxBytes,
    meshBytes: meshStream.maxBytes,
    lettersBytes: bytesOf('DEAD_LETTERS'),
    inboxBytes: bytesOf('KV_MESH_INBOX'),
  }
}
