import { connectClickHouse, emptyArchive, type ArchiveSettings } from '../../clickhouse.ts'
import { processCpuUs } from '../../process-figures.ts'
import type { Setup } from '../../protocol.ts'
import { connectPlain } from '../../twins/connect.ts'
import type { Variant } from '../../variant.ts'
import type { NatsConnection } from '@nats-io/transport-node'

/** A drain that began anew has counted less than it stored. */
const LOOK_MS = 5000

/** Something that stores events in the archive’s table until it is stopped. */
export type Drain = (from: {
  readonly nats: NatsConnection
  readonly clickhouse: string
  readonly messages: number
  /** Hears how many rows are stored more. */
  readonly onRows: (count: number) => void
}) => { readonly stop: () => Promise<void> }

/** Everything of the stream into empty tables, from the start of the drain on. */
export function drainStream(drain: Drain): (setup: Setup<ArchiveSettings>) => Promise<Variant> {
  return async ({ servers, messages, settings: { clickhouse, clickhousePid } }) => {
    const nats = await connectPlain(servers)
    const client = connectClickHouse(clickhouse)
    let running: ReturnType<Drain>
    let rowsHash: number | undefined
    return {
      prepare: () => emptyArchive(client, nats, clickhouse),
      async run() {
        const all = Promise.withResolvers<void>()
        let stored = 0
        const cpuBefore = await processCpuUs(clickhousePid)
        const onRows = (count: number): void => void ((stored += count) >= messages && all.resolve())
        running = drain({ nats, clickhouse, messages, onRows })
        const looking = setInterval(
          () => void contents().then(({ rows }) => rows >= messages && all.resolve()),
          LOOK_MS,
        )
        await all.promise
        clearInterval(looking)
        const clickhouseUsPerMessage = ((await processCpuUs(clickhousePid)) - cpuBefore) / messages
        // What is compared is looked at when the clocks stand still: that of the round before.
        return { messages, figures: { clickhouseUsPerMessage, ...(rowsHash !== undefined && { rowsHash }) } }
      },
      async clean() {
        await running.stop()
        const { rows, hash } = await contents()
        if (rows !== messages) throw new Error(`${rows} rows were stored, not ${messages}`)
        rowsHash = hash
      },
      async close() {
        await client.close()
        await nats.close()
      },
    }

    async function contents(): Promise<{ rows: number; hash: number }> {
      const answer = await client.query({
        query: `SELECT toUInt32(count()) AS rows, toUInt32(sum(sipHash64(tuple(* EXCEPT archived_at))) % 1000000007) AS hash
                FROM archive.events`,
        format: 'JSONEachRow',
      })
      const [row] = await answer.json<{ rows: number; hash: number }>()
      return row!
    }
  }
}
