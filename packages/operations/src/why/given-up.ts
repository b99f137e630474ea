import { type Mesh, nanosOf } from '@malha/mesh'
import type { FoundEvent } from '../journey/found-event.ts'
import { readAdvisories } from '../read/advisories.ts'
import { jsonOf } from '../read/direct-message.ts'
import { lastOf } from '../read/direct.ts'
import { durableFor, type PlacedHandler, type Topology } from './topology.ts'

type Checkpoint = { epoch: number; lastSetBack?: { at: string; from: number } }

/**
 * When the server told that it gave an event up; undefined where it did not, and where the durable was set back to it since.
 * Where that may not be read it is put into `missing`.
 */
export async function givenUpAt(
  { mesh, topology, missing }: { mesh: Mesh; topology: Topology; missing: string[] },
  handler: PlacedHandler,
  event: FoundEvent,
): Promise<string | undefined> {
  const captured = topology.streams.find(({ kind }) => kind === 'advisories')
  const durable = durableFor(mesh, handler, event)
  if (!durable || !captured || captured.info.state.messages === 0) return undefined
  const told = await readAdvisories(mesh, { stream: event.stream, durable: durable.name }).catch((error: unknown) => {
    missing.push(`what the server gave up: ${error instanceof Error ? error.message : String(error)}`)
  })
  const last = told?.findLast(({ seq }) => seq === event.seq)
  if (!last) return undefined
  const bucket = mesh.names.bucket('MESH_CHECKPOINTS')
  const [stored] = await lastOf(mesh, `KV_${bucket}`, [`$KV.${bucket}.${durable.name}`])
  const setBack = stored && (jsonOf(stored) as Checkpoint).lastSetBack
  const isBroughtBack = setBack && setBack.from <= event.seq && BigInt(nanosOf(last.at)) <= BigInt(setBack.at)
  return isBroughtBack ? undefined : last.at
}
