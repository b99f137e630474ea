import { centerOnboarded } from '@malha/contracts'
import { command, type Contract, type HandlerDef, type Mesh, on, type RunningService, stream } from '@malha/mesh'
import { z } from 'zod'

/** Sends a mail. */
export type Send = (to: string, text: string) => Promise<void>

// #region limits
/** The mail provider takes 50 a second, in bursts of 10, over 4 connections. Each process does so much. */
export function tellManager(send: Send): HandlerDef {
  return on(
    centerOnboarded,
    { startFrom: 'new', concurrency: 4, rateLimit: { perSecond: 50, burst: 10 } },
    async (center) => await send('manager', `${center.centerId} is ready`),
  )
}
// #endregion

// #region adjust
export function goSlowly(running: RunningService): void {
  running.adjust('tellManager', { concurrency: 1, rateLimit: { perSecond: 5 } })
}

export function goOn(running: RunningService): void {
  running.adjust('tellManager', { concurrency: 4, rateLimit: null })
}
// #endregion

// #region priorities
const mails = stream('MAILS', { subjects: ['mail.>'] })
const Mail = z.object({ to: z.string(), text: z.string() })
export const sendMail: Contract<z.infer<typeof Mail>> = command('mail.send', {
  stream: mails,
  schema: Mail,
  priorities: true,
})

export const deliver = (send: Send): HandlerDef => on(sendMail, async ({ to, text }) => await send(to, text))

export async function example(mesh: Mesh): Promise<void> {
  await mesh.publish(sendMail, { to: 'ana', text: 'Your code is 4711' }, { priority: 'high' })
  await mesh.publish(sendMail, { to: 'ana', text: 'Our newsletter' }, { priority: 'low' })
}
// #endregion
