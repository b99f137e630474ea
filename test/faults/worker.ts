/**
 * A service process to be killed: does each job at a partner (`PARTNER_URL`), says that it is finished, and of what is
 * finished that it is closed. Three attempts are allowed.
 */
import { defineService, on, responseError, retry, type ServiceDef } from '@malha/mesh'
import { asked, closed, finished } from './jobs.ts'
import { runService } from './run-service.ts'

export function worker(env: NodeJS.ProcessEnv): ServiceDef {
  const partner = env['PARTNER_URL'] ?? ''
  const policy = {
    retry: retry({ attempts: 3, minDelayMs: 200, maxDelayMs: 2_000 }),
    ackWaitMs: Number(env['ACK_WAIT_MS']),
  }
  return defineService('worker', {
    publishes: [finished, closed],
    handlers: {
      work: on(asked, { ...policy, startFrom: 'all', concurrency: 32 }, async (job, ctx) => {
        const response = await fetch(`${partner}/${job.jobId}`, { method: 'POST', signal: ctx.signal })
        await response.arrayBuffer()
        if (!response.ok) throw responseError(response)
        ctx.publish(finished, job, { once: true })
      }),
      close: on(finished, { ...policy, startFrom: 'all', concurrency: 32 }, (job, ctx) => {
        ctx.publish(closed, job, { once: true })
      }),
    },
  })
}

if (import.meta.main) await runService(worker(process.env))
