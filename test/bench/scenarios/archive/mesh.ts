import { runArchive } from '../../clickhouse.ts'
import { serveVariant } from '../../variant.ts'
import { drainStream } from './drain.ts'

await serveVariant(
  drainStream(({ nats, clickhouse, onRows }) => {
    const archive = runArchive(nats, clickhouse, onRows)
    return { stop: () => archive.stop() }
  }),
)
