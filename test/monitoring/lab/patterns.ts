import { connectMesh, type Contract, defineService, event, type Mesh, type Metrics, stream } from '@malha/mesh'
import {
  begins,
  openSaga,
  projection,
  type ProjectionDef,
  runProjection,
  type RunningProjection,
  saga,
  step,
  watchSagas,
} from '@malha/patterns'
import { prometheusMetrics, serveHealth } from '@malha/telemetry'
import { z } from 'zod'
import type { Fault, Lab } from './fault.ts'

const trips = stream('TRIPS', { subjects: ['trip.>'] })
const Trip = z.object({ id: z.string() })
const ofTrips = { stream: trips, schema: Trip, key: ({ id }: z.infer<typeof Trip>) => id }
const booked = event('trip.booked', ofTrips)
const left = event('trip.left', ofTrips)
const trip = saga<null>('trip', {
  sends: [],
  stuckAfterMs: 1000,
  steps: {
    booked: begins(booked, () => ({ state: null })),
    left: step(left, (state) => ({ state, end: 'left' })),
  },
})

const tills = stream('TILLS', { subjects: ['till.>'] })
const Moved = z.object({ till: z.string(), cents: z.int() })
type Moved = z.infer<typeof Moved>
const ofTills = { stream: tills, schema: Moved, key: ({ till }: Moved) => till }
const moved: Contract<Moved> = event('till.moved', ofTills)
/** Of the release after this one. */
const movedLater: Contract<Moved> = event('till.moved', { ...ofTills, version: 2, upcast: (data) => data as Moved })
const balances = (contract: Contract<Moved>): ProjectionDef<number, { moved: Contract<Moved> }> =>
  projection('balances', {
    version: 1,
    events: { moved: contract },
    project: (cents: number | undefined, { data }) => (cents ?? 0) + data.cents,
  })

/** A saga that waits for what does not come, and a projection that is older than what it is given. */
export async function patternLab(url: string): Promise<Lab> {
  await using opening = new AsyncDisposableStack()
  const metrics = prometheusMetrics({ service: 'patterns', version: '1.0.0' })
  const mesh = opening.use(await connectMesh({ servers: [url], metrics }))
  const sagas = await openSaga(mesh, trip)
  const handlers = { ...sagas.handlers }
  await mesh.start(defineService('trips', { handlers, publishes: [...sagas.publishes, booked, left, moved] }))
  opening.use(watchSagas(mesh, [sagas], { metrics, everyMs: 500 }))
  const projecting = opening.use(await projectionFault(mesh, metrics))
  const health = opening.use(await serveHealth({ port: 0, metrics }))
  const rest = opening.move()
  return {
    targets: [`127.0.0.1:${health.port}`],
    faults: [
      {
        alerts: ['SagasStuck'],
        begin: async () => void (await mesh.publish(booked, { id: 'a' })),
        end: async () => void (await mesh.publish(left, { id: 'a' })),
      },
      projecting,
    ],
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}

async function projectionFault(mesh: Mesh, metrics: Metrics): Promise<Fault & AsyncDisposable> {
  let running: RunningProjection = await runProjection(mesh, balances(moved), { metrics })
  await running.caughtUp
  return {
    alerts: ['ProjectionHalted'],
    begin: async () => void (await mesh.publish(movedLater, { till: 'a', cents: 1 })),
    async end() {
      await running[Symbol.asyncDispose]()
      running = await runProjection(mesh, balances(movedLater), { metrics })
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  }
}
