import { setTimeout as sleep } from 'node:timers/promises'
import { connectMesh, defineService, event, on, stream } from '@malha/mesh'
import { prometheusMetrics, serveHealth } from '@malha/telemetry'
import { z } from 'zod'
import type { Lab } from './fault.ts'
import { repeater } from './repeat.ts'

const Data = z.object({})
const late = stream('LATE', { subjects: ['late.>'] })
const many = event('late.many', { stream: late, schema: Data })
const quick = event('late.quick', { stream: late, schema: Data })
/** One after the other: ten seconds of work that come at once. */
const MANY = 100
const EACH_MS = 100

/** A service with more to do at once than it can begin in time. */
export async function latenessLab(url: string): Promise<Lab> {
  await using opening = new AsyncDisposableStack()
  const metrics = prometheusMetrics({ service: 'late', version: '1.0.0' })
  const mesh = opening.use(await connectMesh({ servers: [url], metrics }))
  const all = { startFrom: 'all' } as const
  await mesh.start(
    defineService('late', {
      handlers: {
        slow: on(many, { ...all, concurrency: 1 }, () => sleep(EACH_MS)),
        quick: on(quick, all, () => undefined),
      },
    }),
  )
  const send = (contract: typeof many, count: number): Promise<unknown> =>
    Promise.all(Array.from({ length: count }, () => mesh.publish(contract, {})))
  // What was late is a share of all: it ends by enough that is not.
  const fresh = repeater(50, () => send(quick, 20))
  opening.defer(() => fresh.stop())
  const health = opening.use(await serveHealth({ port: 0, metrics }))
  const rest = opening.move()
  return {
    targets: [`127.0.0.1:${health.port}`],
    faults: [
      {
        alerts: ['FreshnessBudgetBurnsFast', 'FreshnessBudgetBurnsSlow'],
        begin: async () => void (await send(many, MANY)),
        end: async () => fresh.start(),
      },
    ],
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}
