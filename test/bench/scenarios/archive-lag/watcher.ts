import { createHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ArchiveSettings, connectClickHouse } from '../../clickhouse.ts'
import { serveVariant } from '../../variant.ts'

const POLL_MS = 50

type Found = { rows: number; until: number; oldestMs: number }

/**
 * Asks the table again and again what is new in it. Of what each answer has more than the one before, the oldest event tells the
 * lag: from the time JetStream gave it to the answer. So half a poll is counted with it.
 */
await serveVariant<ArchiveSettings>(async ({ messages, settings: { clickhouse } }) => {
  const client = connectClickHouse(clickhouse)
  let seen = 0
  return {
    async run() {
      const latency = createHistogram()
      let found = 0
      while (found < messages) {
        const { rows, until, oldestMs } = await newSince(seen)
        if (rows > 0) latency.record(Math.max(1, Math.round((Date.now() - oldestMs) * 1e6)))
        found += rows
        seen = Math.max(seen, until)
        await sleep(POLL_MS)
      }
      if (found !== messages) throw new Error(`${found} rows were found, not ${messages}`)
      return { messages, latency }
    },
    close: () => client.close(),
  }

  async function newSince(seq: number): Promise<Found> {
    const answer = await client.query({
      query: `SELECT toUInt32(count()) AS rows, toUInt32(max(seq)) AS until,
                toFloat64(toUnixTimestamp64Milli(min(published_at))) AS oldestMs
              FROM archive.events WHERE seq > {seq:UInt64}`,
      query_params: { seq },
      format: 'JSONEachRow',
    })
    const [row] = await answer.json<Found>()
    return row!
  }
})
