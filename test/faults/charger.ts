/**
 * A service process that charges a partner for each job, with an inbox. It ends with SIGKILL at the stage of a delivery that
 * `DIE_AT` names, if it does.
 */
import { subscribe } from 'node:diagnostics_channel'
import {
  connectMesh,
  defineService,
  meshOptions,
  minutes,
  on,
  responseError,
  seconds,
  type StageEvent,
} from '@malha/mesh'
import { asked } from './jobs.ts'

const partner = process.env['PARTNER_URL'] ?? ''
const dieAt = process.env['DIE_AT'] ?? ''

subscribe('malha:delivery', (message) => {
  if ((message as StageEvent).stage === dieAt) process.kill(process.pid, 'SIGKILL')
})

const options = { startFrom: 'all', ackWaitMs: seconds(1), inbox: { keepMs: minutes(10) } } as const

const charger = defineService('charger', {
  handlers: {
    charge: on(asked, options, async (job, ctx) => {
      const response = await fetch(`${partner}/${job.jobId}`, { method: 'POST', signal: ctx.signal })
      await response.arrayBuffer()
      if (!response.ok) throw responseError(response)
    }),
  },
})

const mute = (): void => undefined
const error = (_: object, message: string): void => void process.stdout.write(`${message}\n`)

await using mesh = await connectMesh({
  ...meshOptions(process.env),
  logger: { debug: mute, info: mute, warn: mute, error },
})
await mesh.run(charger)
