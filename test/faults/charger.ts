/**
 * A service process that charges a partner for each job, with an inbox. It ends with SIGKILL at the stage of a delivery that
 * `DIE_AT` names, if it does.
 */
import { subscribe } from 'node:diagnostics_channel'
import { defineService, minutes, on, responseError, seconds, type ServiceDef, type StageEvent } from '@malha/mesh'
import { asked } from './jobs.ts'
import { runService } from './run-service.ts'

const partner = process.env['PARTNER_URL'] ?? ''
const dieAt = process.env['DIE_AT'] ?? ''

const options = { startFrom: 'all', ackWaitMs: seconds(1), inbox: { keepMs: minutes(10) } } as const

export const charger: ServiceDef = defineService('charger', {
  handlers: {
    charge: on(asked, options, async (job, ctx) => {
      const response = await fetch(`${partner}/${job.jobId}`, { method: 'POST', signal: ctx.signal })
      await response.arrayBuffer()
      if (!response.ok) throw responseError(response)
    }),
  },
})

if (import.meta.main) {
  subscribe('malha:delivery', (message) => {
    if ((message as StageEvent).stage === dieAt) process.kill(process.pid, 'SIGKILL')
  })
  await runService(charger)
}
