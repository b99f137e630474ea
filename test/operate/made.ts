import type { Mesh } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'

/** What the shop made, by subject: one an order. */
export async function subjectsOf(mesh: Mesh, type: string): Promise<Record<string, number>> {
  const jsm = await jetstreamManager(mesh.nats)
  const name = mesh.names.stream('BILLS')
  const { state } = await jsm.streams
    .info(name, { subjects_filter: `${type}.>` })
    .catch(() => ({ state: { subjects: {} } }))
  return state.subjects ?? {}
}

export async function countOf(mesh: Mesh, type: string): Promise<number> {
  return Object.values(await subjectsOf(mesh, type)).reduce((sum, each) => sum + each, 0)
}
