import { setImmediate, setTimeout as wait } from 'node:timers/promises'
import { defineService, on, type RunningService } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import { connectBench, orderPlaced } from '../../orders.ts'
import { checkAllAcked } from '../../twins/durable.ts'
import { serveVariant } from '../../variant.ts'
import { type Tally, tallyOf } from './tally.ts'

const WORK_MS = 5
const CONCURRENCY = 16

/** One instance of a service; the others of its variant are the same. */
await serveVariant(async ({ servers, replicas, variant, part, messages }) => {
  const mesh = await connectBench(servers, replicas)
  const jsm = await jetstreamManager(mesh.nats)
  const nameOf = (round: number): string => `${variant}-${round}`
  let handled = 0
  let running: RunningService
  let tally: Tally
  let go: PromiseWithResolvers<void>
  return {
    /** All instances have their first messages in hand before the round begins, as those of a queue that is busy have. */
    async prepare(round) {
      go = Promise.withResolvers()
      handled = 0
      tally = await tallyOf(mesh.nats, { subject: `tally.${nameOf(round)}`, messages })
      const handler = on(orderPlaced, { startFrom: 'all', concurrency: CONCURRENCY }, async ({ orderId }) => {
        await go.promise
        await wait(WORK_MS)
        handled++
        tally.add(Number(orderId.slice(2)))
      })
      running = await mesh.start(defineService(nameOf(round), { handlers: { handler } }))
    },
    async run() {
      go.resolve()
      await tally.done
      await setImmediate()
      await mesh.nats.flush()
      return { messages: handled }
    },
    async clean(round) {
      tally.close()
      await running.stop()
      if (part === 0) await checkAllAcked(jsm, mesh.names.durable(nameOf(round), 'handler'), messages)
    },
    close: () => mesh.close(),
  }
})
