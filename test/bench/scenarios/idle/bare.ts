import { fileURLToPath } from 'node:url'
import { startServerProcess } from '../../server-process.ts'
import { serveVariant } from '../../variant.ts'
import { startOnce } from './start-once.ts'

const main = fileURLToPath(new URL('bare-service.ts', import.meta.url))

await serveVariant(startOnce(({ servers }) => startServerProcess({ main, env: { NATS_URL: servers } })))
