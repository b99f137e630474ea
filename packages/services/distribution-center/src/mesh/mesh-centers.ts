import { isDeepStrictEqual } from 'node:util'
import { centerRegistered, type Center } from '@malha/contracts'
import { MeshError, type Mesh } from '@malha/mesh'
import type { Centers, Page, PageQuery, Registered } from '../centers.ts'
import { Problem, unavailable } from '../http/problem.ts'
import type { CenterView } from '../http/schemas.ts'
import type { ReadModel } from '../status/read-model.ts'
import { applyToStatus } from '../status/apply.ts'
import { viewOf } from '../status/view.ts'
import { activeTraceId } from './active-trace.ts'
import { watchConnection } from './connection.ts'
import { BROKER_MS, inTime, readInTime } from './deadline.ts'
import { findRegistration } from './registrations.ts'
import { turnEnd } from './turn-end.ts'

export type MeshCentersOptions = {
  readonly mesh: Mesh
  /** Undefined until the broker was there for the first time. */
  readonly readModel: () => ReadModel | undefined
}

type Reading = ReadModel & { readonly mesh: Mesh }

/** How many centres one request looks through for a status, and for how long, ms. */
const SCAN = 1000
const SCAN_MS = BROKER_MS / 2
const CHUNK = 200

/** Centres on the mesh: the stream for what was registered, the read model for how far it is. */
export function meshCenters({ mesh, readModel }: MeshCentersOptions): Centers {
  const isUp = watchConnection(mesh)
  const asked = <T>(what: string, work: (reading: Reading) => Promise<T>): Promise<T> => {
    const model = readModel()
    return isUp() && model
      ? readInTime(what, () => work({ ...model, mesh }))
      : Promise.reject(unavailable(`${what}: the broker is away`))
  }
  return {
    register(centerId, center) {
      const what = 'The centre was not registered'
      // With a spool it is taken whether the broker is there or not.
      if (mesh.queued === undefined && !isUp()) return Promise.reject(unavailable(`${what}: the broker is away`))
      return inTime(what, () => register(mesh, centerId, center), mesh.queued === undefined ? BROKER_MS : DISK_MS)
    },
    find: (centerId) => asked('The centre was not read', (reading) => find(reading, centerId)),
    page: (query) => asked('The centres were not read', (reading) => page(reading, query)),
  }
}

/** Of a registration that is queued where the broker does not take it; then it waits for nothing but the disk. */
const DIRECT_MS = BROKER_MS / 2
const DISK_MS = 5000

async function register(mesh: Mesh, centerId: string, center: Center): Promise<Registered> {
  const data = { centerId, ...center }
  await turnEnd()
  try {
    const id = `${centerId}.registered`
    const timeoutMs = mesh.queued === undefined ? BROKER_MS : DIRECT_MS
    const { duplicate, queued = false } = await mesh.publish(centerRegistered, data, { id, once: true, timeoutMs })
    if (!duplicate) return { traceId: activeTraceId() ?? null, queued }
  } catch (error) {
    if (!isTaken(error)) throw error
  }
  return await readInTime('The centre was registered before, and not read', () => repeated(mesh, data))
}

/** The id holds a registration. The same centre: the first answer again. Another: the key was used for two requests. */
async function repeated(mesh: Mesh, data: Center & { centerId: string }): Promise<Registered> {
  const stored = await findRegistration(mesh, data.centerId)
  if (stored === undefined) throw unavailable('The stream lost a registration while it was read')
  if (!isDeepStrictEqual(stored.data, data))
    throw new Problem(
      'idempotency-conflict',
      'This Idempotency-Key was used for another centre. Send the first body again, or a new key for a new centre.',
    )
  return { traceId: stored.change.registration.traceId ?? null, queued: false }
}

/** The read model, and where it is behind (right after the 202) the stream it is made from. */
async function find(options: Reading, centerId: string): Promise<CenterView | undefined> {
  const status = await options.statuses.get(centerId)
  const view = status && viewOf(status)
  if (view) return view
  const stored = await findRegistration(options.mesh, centerId)
  if (stored) return viewOf(applyToStatus(status, stored.change))
  // It may be among what this instance has answered and not stored yet.
  if ((options.mesh.queued ?? 0) > 0) throw unavailable('Registrations from while the broker was away are being stored')
  return undefined
}

async function page(options: Reading, { after, limit, status }: PageQuery): Promise<Page> {
  const centers: CenterView[] = []
  let { centerId: last, place } = await startOf(options, after)
  const until = performance.now() + SCAN_MS
  for (let seen = 0; seen < SCAN && (seen === 0 || performance.now() < until);) {
    const stretch = await options.registry.after(place, status === undefined ? limit - centers.length + 1 : CHUNK)
    const views = await Promise.all(stretch.entries.map(({ centerId }) => find(options, centerId)))
    for (const [index, { centerId }] of stretch.entries.entries()) {
      if (centers.length === limit) return { centers, next: last }
      last = centerId
      const view = views[index]
      if (view && (status === undefined || view.status === status)) centers.push(view)
    }
    if (stretch.isEnd) return { centers, next: null }
    seen += stretch.until - place
    place = stretch.until
  }
  return { centers, next: last }
}

type Place = { readonly centerId: string | null; readonly place: number }

async function startOf({ registry }: Reading, after: string | undefined): Promise<Place> {
  if (after === undefined) return { centerId: null, place: 0 }
  const place = await registry.placeOf(after)
  if (place !== undefined) return { centerId: after, place }
  const faults = [{ in: 'query', pointer: '/after', message: 'is no centre of this list' }] as const
  throw new Problem('invalid-request', 'Begin without `after`, or with an id that a page ended with.', { faults })
}

function isTaken(error: unknown): boolean {
  return error instanceof MeshError && (error.code === 'MESH_ID_CONFLICT' || error.code === 'MESH_ONCE_CONFLICT')
}
