import type { NatsConnection } from '@nats-io/transport-node'
import type { Outcome } from '../../variant.ts'
import type { Flow } from './flow.ts'

/** What the runner asks of a variant's process: at which server it is, or how long nothing came behind an event. */
export type Given = { ask: 'server' } | { ask: 'gap'; sinceUs: number; boundMs: number }

export type Watched = {
  nc: NatsConnection
  flow: Flow
  /** What a person does when nothing comes any more. */
  restart?: () => Promise<void>
}

export async function answer(given: Given, { nc, flow, restart }: Watched): Promise<Outcome> {
  if (given.ask === 'server') return { messages: 0, figures: { port: Number(nc.getServer().split(':').at(-1)) } }
  const { sinceUs: us, boundMs } = given
  const gapMs = await flow.longestGap({ us, boundMs })
  if (gapMs >= boundMs) await restart?.()
  await flow.untilSteady()
  return { messages: 0, figures: { gapMs } }
}
