/** A service process to be restarted and killed: answers requests, each after a little while. */
import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, reply, type ServiceDef } from '@malha/mesh'
import { runService } from './run-service.ts'
import { counting, sum } from './sums.ts'

const by = process.pid

export const sums: ServiceDef = defineService('sums', {
  handlers: {},
  replies: {
    sum: reply(sum, async (numbers) => {
      await sleep(20)
      return { sum: numbers.reduce((total, n) => total + n, 0), by }
    }),
    counting: reply(counting, async function* ({ everyMs }, ctx) {
      for (let n = 1; ; n++) {
        yield { n, by }
        await sleep(everyMs, undefined, { signal: ctx.signal })
      }
    }),
  },
})

if (import.meta.main) await runService(sums)
