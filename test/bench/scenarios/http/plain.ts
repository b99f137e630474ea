import { fileURLToPath } from 'node:url'
import { freePorts } from '@malha/stack'
import { startServerProcess } from '../../server-process.ts'
import { serveVariant } from '../../variant.ts'
import { postCenters } from './post-centers.ts'

await serveVariant(
  postCenters({
    handlers: [],
    async start(env) {
      const [http] = (await freePorts(1)) as [number]
      const main = fileURLToPath(new URL('plain-server.ts', import.meta.url))
      const server = await startServerProcess({ main, env: { ...env, HTTP_PORT: String(http) } })
      return { server, url: `http://127.0.0.1:${http}` }
    },
  }),
)
