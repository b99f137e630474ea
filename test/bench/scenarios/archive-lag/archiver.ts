import { type ArchiveSettings, runArchive } from '../../clickhouse.ts'
import { connectPlain } from '../../twins/connect.ts'
import { serveVariant } from '../../variant.ts'

/** It runs all the time, as an archive does; what it has stored, the watcher counts. */
await serveVariant<ArchiveSettings>(async ({ servers, messages, settings: { clickhouse } }) => {
  const nats = await connectPlain(servers)
  let stored = 0
  let onRows = (): void => undefined
  const archive = runArchive(nats, clickhouse, (count) => {
    stored += count
    onRows()
  })
  return {
    async run() {
      await new Promise<void>((resolve) => {
        onRows = () => void (stored >= messages && resolve())
        onRows()
      })
      stored -= messages
      return { messages: 0 }
    },
    async close() {
      await archive.stop()
      await nats.close()
    },
  }
})
