import { freePorts } from '@malha/stack'
import { mainOf } from '../../../reference/processes.ts'
import { startServerProcess } from '../../server-process.ts'
import { serveVariant } from '../../variant.ts'
import { startOnce } from './start-once.ts'

/** The service with most of the libraries, as it is shipped, with what it needs on the server there already from round 1 on. */
await serveVariant(
  startOnce(async ({ servers }) => {
    const [health, http] = (await freePorts(2)) as [number, number]
    return startServerProcess({
      main: mainOf('distribution-center'),
      env: { NATS_URL: servers, HEALTH_PORT: String(health), HTTP_PORT: String(http) },
      readyUrl: `http://127.0.0.1:${health}/readyz`,
    })
  }),
)
