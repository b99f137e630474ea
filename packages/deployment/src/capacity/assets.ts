import type { AsMade } from './as-made.ts'
import { handlerInstances } from './instances.ts'
import type { Load } from './load.ts'
import type { Sheet } from './sheet.ts'

/** What there is on the servers, each with a raft group of its own where it is replicated. */
export type Assets = { readonly streams: number; readonly durables: number }

/** Into how many at most the keys of a stream are spread (@malha/mesh, topology/stream.ts). */
const MOST_PARTITIONS = 256
/** So that the shares of instances differ by a quarter at most, and so many more may come before the stream must be made anew. */
const PARTITIONS_PER_INSTANCE = 4

/** Counts what the mesh would make: one service for each handler, each reading every stream. */
export function planAssets(load: Load, made: AsMade, sheet: Sheet): Assets {
  const instances = handlerInstances(load, sheet)
  const assets: Assets = {
    streams: made.ownStreams + load.streams + load.handlers,
    durables: made.durablesPerHandler * load.handlers * load.streams,
  }
  const line = (what: string, value: number, how: string): void =>
    void sheet.figure({ group: 'handlers', what, unit: '', how }, () => value)
  if (load.ordered) {
    const wanted = 2 ** Math.ceil(Math.log2(Math.max(made.partitions, PARTITIONS_PER_INSTANCE * instances)))
    const partitions = Math.min(MOST_PARTITIONS, wanted)
    line(
      'partitions, each stream',
      partitions,
      `${PARTITIONS_PER_INSTANCE} an instance, ${made.partitions} at least, ${MOST_PARTITIONS} at most; fixed when the stream is made`,
    )
    line('consumers without acks', (partitions + 1) * load.handlers * load.streams, 'one a partition, in memory')
    sheet.limit(
      {
        what: 'partitions of a stream',
        unit: '',
        remedy:
          'raise concurrency, shorten calls, or spread keys over more streams: an instance without a partition stands by',
      },
      () => ({ need: instances, most: MOST_PARTITIONS }),
    )
  }
  line('streams', assets.streams, 'of events, of lanes, and those of the mesh itself')
  line('durables', assets.durables, 'of handlers, on events and on lanes')
  const groups = load.replicas === 1 ? 0 : ((assets.streams + assets.durables) * load.replicas) / load.servers
  line(
    'raft groups, each server',
    groups,
    'each replicated stream and durable is one; more than 2,000 need a look at max_ha_assets',
  )
  return assets
}
