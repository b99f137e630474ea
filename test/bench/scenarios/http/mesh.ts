import { freePorts } from '@malha/stack'
import { mainOf } from '../../../reference/processes.ts'
import { startServerProcess } from '../../server-process.ts'
import { serveVariant } from '../../variant.ts'
import { postCenters } from './post-centers.ts'

/** The service as it is shipped, its read model included: that keeps up with what is registered, in the same process. */
await serveVariant(
  postCenters({
    handlers: ['registered'],
    async start(env) {
      const [health, http] = (await freePorts(2)) as [number, number]
      const server = await startServerProcess({
        main: mainOf('distribution-center'),
        env: { ...env, HEALTH_PORT: String(health), HTTP_PORT: String(http) },
        readyUrl: `http://127.0.0.1:${health}/readyz`,
      })
      return { server, url: `http://127.0.0.1:${http}` }
    },
  }),
)
