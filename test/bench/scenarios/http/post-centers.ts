import { createHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { centerRegistered } from '@malha/contracts'
import { connectMesh, defineService } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import { Pool } from 'undici'
import { processCpuUs, processRssMb } from '../../process-figures.ts'
import type { Setup } from '../../protocol.ts'
import type { ServerProcess } from '../../server-process.ts'
import { untilAllAcked } from '../../twins/durable.ts'
import type { Variant } from '../../variant.ts'
import { windowed } from '../../windowed.ts'

const CONNECTIONS = 32
/** As the service asks for, ms. */
const RETRY_AFTER_MS = 1000

const body = JSON.stringify({
  name: 'Distribution centre Recife',
  city: { name: 'Recife', state: 'Pernambuco', country: 'BR', geonameId: 3_390_760 },
  address: 'Avenida Recife 1200',
  capacity: 1200,
})

export type Api = {
  /** Handlers of distribution-center, each with a durable for events that have a key, that have to be done with everything before it is the other's turn. */
  readonly handlers: readonly string[]
  readonly start: (env: Record<string, string>) => Promise<{ server: ServerProcess; url: string }>
}

/**
 * This process is the load; the service is another, and its CPU and memory are what is told. Each variant has a namespace of its
 * own with the same streams, so that the read model of the service does not work on what the twin stored.
 */
export function postCenters({ handlers, start }: Api): (setup: Setup) => Promise<Variant> {
  return async ({ servers, variant, messages }) => {
    await using opened = new AsyncDisposableStack()
    const mesh = opened.use(await connectMesh({ servers, name: 'bench', namespace: variant }))
    await mesh.provision(defineService('bench', { handlers: {}, publishes: [centerRegistered] }))
    const jsm = await jetstreamManager(mesh.nats)
    const stream = mesh.names.stream(centerRegistered.stream)
    const { server, url } = await start({ NATS_URL: servers, MALHA_NAMESPACE: variant })
    opened.use(server)
    const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 })
    opened.defer(() => pool.close())
    let posted = 0
    let refused = 0
    /** A request that is refused for now is repeated under its key, and counted as one that took longer. */
    const post = async (key: string): Promise<void> => {
      const headers = { 'content-type': 'application/json', 'idempotency-key': key }
      for (;;) {
        const answer = await pool.request({ path: '/centers', method: 'POST', headers, body })
        const text = await answer.body.text()
        if (answer.statusCode === 202) return
        if (answer.statusCode !== 503) throw new Error(`POST /centers was answered ${answer.statusCode}: ${text}`)
        refused++
        await sleep(RETRY_AFTER_MS)
      }
    }
    const opens = opened.move()
    return {
      async run(round) {
        const latency = createHistogram()
        refused = 0
        const cpuBefore = await processCpuUs(server.pid)
        await windowed(messages, CONNECTIONS, (n) => post(`${round}-${n}`), latency)
        posted += messages
        const cpuUsPerMessage = ((await processCpuUs(server.pid)) - cpuBefore) / messages
        return { messages, latency, figures: { cpuUsPerMessage, rssMb: await processRssMb(server.pid), refused } }
      },
      /** What is stored is what was posted, and the service has caught up with it. */
      async clean() {
        const { state } = await jsm.streams.info(stream)
        if (state.messages !== posted) throw new Error(`${stream} holds ${state.messages} events, not ${posted}`)
        for (const handler of handlers)
          await untilAllAcked(jsm, `${mesh.names.durable('distribution-center', handler)}_keyed`, posted, stream)
      },
      close: () => opens.disposeAsync(),
    }
  }
}
