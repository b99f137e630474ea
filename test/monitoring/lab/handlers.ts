import {
  connectMesh,
  type Contract,
  defineService,
  event,
  hours,
  minutes,
  on,
  Reject,
  retry,
  seconds,
  stream,
  untilBack,
} from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { prometheusMetrics, serveHealth } from '@malha/telemetry'
import { z } from 'zod'
import type { Fault, Lab } from './fault.ts'
import { repeater } from './repeat.ts'

const Data = z.object({ n: z.number(), bad: z.boolean() })
type Data = z.infer<typeof Data>

const lab = stream('LAB', { subjects: ['lab.>'] })
const aging = stream('AGING', { subjects: ['aging.>'], maxAgeMs: minutes(1), duplicateWindowMs: seconds(10) })
const made = (type: string, of = lab): Contract<Data> =>
  event(type, { stream: of, schema: Data, key: ({ n }) => `k${n}` })

const EVENTS = {
  stuck: made('lab.stuck'),
  growing: made('lab.growing'),
  retrying: made('lab.retrying'),
  broken: made('lab.broken'),
  paused: made('lab.paused'),
  keyed: made('lab.keyed'),
  holding: made('lab.holding'),
  counted: made('lab.counted'),
  aging: made('aging.stuck', aging),
}
const all = { startFrom: 'all' } as const
const LONG_MS = hours(1)
const QUICK = retry({ attempts: 2, maxDelayMs: 600 })

/** Handlers that stand, fail, hold, and lose, each by a switch of its own. */
export async function handlerLab(url: string): Promise<Lab> {
  await using opening = new AsyncDisposableStack()
  const metrics = prometheusMetrics({ service: 'lab', version: '1.0.0' })
  const mesh = opening.use(await connectMesh({ servers: [url], metrics }))
  const operations = opening.use(await openOperations(mesh))
  const gates = { stuck: gate(), growing: gate(), aging: gate() }
  const mended = { broken: false, keyed: false }
  let nth = 0
  const service = defineService('lab', {
    handlers: {
      stuck: on(EVENTS.stuck, { ...all, concurrency: 1, timeoutMs: LONG_MS }, () => gates.stuck.promise),
      growing: on(EVENTS.growing, { ...all, concurrency: 64, timeoutMs: LONG_MS }, () => gates.growing.promise),
      // Two of three: too few for the breaker.
      retrying: on(EVENTS.retrying, all, () => fail(nth++ % 3 !== 0, new Error('now and then'))),
      broken: on(EVENTS.broken, { ...all, retry: untilBack }, () => fail(!mended.broken, refused())),
      paused: on(EVENTS.paused, all, () => undefined),
      keyed: on(EVENTS.keyed, { ...all, order: 'key', retry: untilBack }, () =>
        fail(!mended.keyed, new Error('this key')),
      ),
      holding: on(EVENTS.holding, { ...all, order: 'key', onDeadLetter: 'hold-key' }, ({ bad }) =>
        fail(bad, new Reject('none of ours')),
      ),
    },
  })
  const counter = defineService('counter', {
    handlers: { count: on(EVENTS.counted, all, ({ bad }) => fail(bad, new Reject('bad'))) },
  })
  const ager = defineService('ager', {
    handlers: {
      stuck: on(EVENTS.aging, { ...all, retry: QUICK, concurrency: 1, timeoutMs: LONG_MS }, () => gates.aging.promise),
    },
  })
  for (const one of [service, counter, ager]) await mesh.start(one)
  const health = opening.use(await serveHealth({ port: 0, metrics }))

  const send = (contract: Contract<Data>, count: number, bad = false): Promise<unknown> =>
    Promise.all(Array.from({ length: count }, (_, n) => mesh.publish(contract, { n, bad })))
  const fed = (contract: Contract<Data>, count: number, everyMs: number): ReturnType<typeof repeater> =>
    repeater(everyMs, () => send(contract, count))
  const feeds = { growing: fed(EVENTS.growing, 40, 250), retrying: fed(EVENTS.retrying, 5, 250) }
  const fresh = fed(EVENTS.counted, 20, 50)
  for (const one of [...Object.values(feeds), fresh]) opening.defer(() => one.stop())
  // A call that still runs would hold up the end.
  opening.defer(() => Object.values(gates).forEach(({ resolve }) => resolve()))
  const told = { service: 'lab', who: 'on-call', reason: 'to see that it is told' }

  const faults: Fault[] = [
    {
      alerts: ['HandlerStalled', 'HandlerSaturated', 'HandlerLagging'],
      begin: async () => void (await send(EVENTS.stuck, 3)),
      end: async () => gates.stuck.resolve(),
    },
    {
      alerts: ['HandlerLagGrowing'],
      begin: async () => feeds.growing.start(),
      async end() {
        await feeds.growing.stop()
        gates.growing.resolve()
      },
    },
    { alerts: ['HandlerRetryStorm'], begin: async () => feeds.retrying.start(), end: () => feeds.retrying.stop() },
    {
      alerts: ['BreakerOpenLong'],
      begin: async () => void (await send(EVENTS.broken, 30)),
      end: async () => void (mended.broken = true),
    },
    {
      alerts: ['HandlerPausedLong'],
      begin: async () => void (await operations.handlers.pause({ ...told, handler: 'paused' })),
      end: async () => void (await operations.handlers.resume({ ...told, handler: 'paused' })),
    },
    {
      alerts: ['KeysHeldLong'],
      begin: async () => void (await send(EVENTS.keyed, 1)),
      end: async () => void (mended.keyed = true),
    },
    {
      alerts: ['KeysBehindLetters', 'DeadLettersArriving'],
      begin: async () => void (await send(EVENTS.holding, 1, true)),
      async end() {
        await operations.letters.refresh()
        const { letters } = operations.letters.list({ service: 'lab', handler: 'holding' })
        for (const { seq } of letters) await operations.letters.discard(seq, told)
      },
    },
    {
      alerts: ['EventsAboutToExpire', 'EventsExpired'],
      begin: async () => void (await send(EVENTS.aging, 3)),
      end: async () => gates.aging.resolve(),
    },
    {
      alerts: ['SuccessBudgetBurnsFast', 'SuccessBudgetBurnsSlow'],
      async begin() {
        // One by one: what a counter begins with is no increase.
        for (let round = 0; round < 10; round += 1) {
          await send(EVENTS.counted, 20)
          await send(EVENTS.counted, 1, true)
          await pause(500)
        }
      },
      end: async () => fresh.start(),
    },
  ]
  const rest = opening.move()
  return {
    targets: [`127.0.0.1:${health.port}`],
    faults,
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}

const gate = (): PromiseWithResolvers<void> => Promise.withResolvers<void>()
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const refused = (): Error => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })

function fail(fails: boolean, error: Error): void {
  if (fails) throw error
}
