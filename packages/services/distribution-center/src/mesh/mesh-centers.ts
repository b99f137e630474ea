import { isDeepStrictEqual } from 'node:util'
import { centerRegistered, type Center } from '@malha/contracts'
import { MeshError, type Mesh } from '@malha/mesh'
import type { Centers, Page, PageQuery } from '../centers.ts'
import { Problem, unavailable } from '../http/problem.ts'
import type { CenterView } from '../http/schemas.ts'
import type { ReadModel } from '../service.ts'
import { applyToStatus } from '../status/apply.ts'
import { viewOf } from '../status/view.ts'
import { activeTraceId } from './active-trace.ts'
import { watchConnection } from './connection.ts'
import { BROKER_MS, inTime } from './deadline.ts'
import { findRegistration } from './registrations.ts'

export type MeshCentersOptions = ReadModel & { readonly mesh: Mesh }

/** How many centres one request looks through for a status, and for how long, ms. */
const SCAN = 1000
const SCAN_MS = BROKER_MS / 2
const CHUNK = 200

/** Centres on the mesh: the stream for what was registered, the read model for how far it is. */
export function meshCenters(options: MeshCentersOptions): Centers {
  const isUp = watchConnection(options.mesh.nats)
  const asked = <T>(what: string, work: () => Promise<T>): Promise<T> =>
    isUp() ? inTime(what, work) : Promise.reject(unavailable(`${what}: the broker is away`))
  return {
    register: (centerId, center) => asked('The centre was not registered', () => register(options, centerId, center)),
    find: (centerId) => asked('The centre was not read', () => find(options, centerId)),
    page: (query) => asked('The centres were not read', () => page(options, query)),
  }
}

async function register(
  options: MeshCentersOptions,
  centerId: string,
  center: Center,
): Promise<{ traceId: string | null }> {
  const { mesh } = options
  const data = { centerId, ...center }
  try {
    const id = `${centerId}.registered`
    const { duplicate } = await mesh.publish(centerRegistered, data, { id, once: true, timeoutMs: BROKER_MS })
    if (!duplicate) return { traceId: activeTraceId() ?? null }
  } catch (error) {
    if (!isTaken(error)) throw error
  }
  return await repeated(options, data)
}

/** The id holds a registration. The same centre: the first answer again. Another: the key was used for two requests. */
async function repeated({ mesh }: MeshCentersOptions, data: Center & { centerId: string }) {
  const stored = await findRegistration(mesh, data.centerId)
  if (stored === undefined) throw unavailable('The stream lost a registration while it was read')
  if (!isDeepStrictEqual(stored.data, data))
    throw new Problem(
      'idempotency-conflict',
      'This Idempotency-Key was used for another centre. Send the first body again, or a new key for a new centre.',
    )
  return { traceId: stored.change.registration.traceId ?? null }
}

/** The read model, and where it is behind (right after the 202) the stream it is made from. */
async function find(options: MeshCentersOptions, centerId: string): Promise<CenterView | undefined> {
  const status = await options.statuses.get(centerId)
  const view = status && viewOf(status)
  if (view) return view
  const stored = await findRegistration(options.mesh, centerId)
  return stored && viewOf(applyToStatus(status, stored.change))
}

async function page(options: MeshCentersOptions, { after, limit, status }: PageQuery): Promise<Page> {
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

async function startOf({ registry }: MeshCentersOptions, after: string | undefined): Promise<Place> {
  if (after === undefined) return { centerId: null, place: 0 }
  const place = await registry.placeOf(after)
  if (place !== undefined) return { centerId: after, place }
  const faults = [{ in: 'query', pointer: '/after', message: 'is no centre of this list' }] as const
  throw new Problem('invalid-request', 'Begin without `after`, or with an id that a page ended with.', { faults })
}

function isTaken(error: unknown): boolean {
  return error instanceof MeshError && (error.code === 'MESH_ID_CONFLICT' || error.code === 'MESH_ONCE_CONFLICT')
}
