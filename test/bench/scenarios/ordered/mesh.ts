import { setImmediate } from 'node:timers/promises'
import { defineService, on, type RunningService } from '@malha/mesh'
import { connectBench } from '../../orders.ts'
import { serveVariant } from '../../variant.ts'
import { stockMoved } from './moves.ts'
import { type Work, workOf } from './work.ts'

const CONCURRENCY = 256

/** `order: 'key'`, retry and dead letters armed: what of different products may be done at once is. */
await serveVariant<{ workMs: number }>(async ({ servers, replicas, messages, settings: { workMs } }) => {
  const mesh = await connectBench(servers, replicas)
  let running: RunningService
  let work: Work
  return {
    async run(round, begin) {
      let isFirst = true
      work = workOf({ messages, workMs })
      const handler = on(stockMoved, { order: 'key', startFrom: 'all', concurrency: CONCURRENCY }, (move) => {
        if (isFirst) begin()
        isFirst = false
        return work.handle(move)
      })
      running = await mesh.start(defineService(`ordered-${round}`, { handlers: { handler } }))
      await work.done
      await setImmediate()
      await mesh.nats.flush()
      return { messages }
    },
    /** That all is on record, too: an orderly stop waits for that. */
    async clean() {
      await running.stop()
      work.check()
    },
    close: () => mesh.close(),
  }
})
