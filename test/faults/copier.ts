/** A service process to be killed: makes a copy of each original and files it, both once. */
import { defineService, on, seconds, type ServiceDef, untilBack } from '@malha/mesh'
import { copied, drawn, filed } from './copies.ts'
import { runService } from './run-service.ts'

const options = { startFrom: 'all', concurrency: 64, ackWaitMs: seconds(1), effects: 'once' } as const

export const copier: ServiceDef = defineService('copier', {
  publishes: [copied, filed],
  handlers: {
    copy: on(drawn, { ...options, retry: { ...untilBack, forMs: seconds(600), maxDelayMs: 500 } }, (job, ctx) => {
      ctx.publish(copied, job)
      ctx.publish(filed, job)
    }),
  },
})

if (import.meta.main) await runService(copier)
