import { type Contract, type Mesh, MeshError } from '@malha/mesh'
import type { Recorder } from '../history/recorder.ts'
import type { Load } from './contracts.ts'

/** Publishes and writes down what became of it. */
export interface Publishing {
  /** How many are under way. */
  readonly open: number
  /** Resolves to whether it is stored; when not, it may be stored all the same, unless it was refused. */
  publish(contract: Contract<Load>, data: Omit<Load, 'text'>, delayMs?: number): Promise<boolean>
}

/** After these it is certain that nothing was stored. */
const REFUSALS = new Set(['MESH_INVALID_PAYLOAD', 'MESH_INVALID_KEY', 'MESH_SPOOL_FULL', 'MESH_STREAM_FULL'])

/** After these it is not: the server or the connection was away, or this process was stopping. */
const IN_DOUBT = new Set([
  'MESH_PUBLISH_TIMEOUT',
  'MESH_NO_STREAM',
  'MESH_PUBLISH_REFUSED',
  'MESH_SPOOL_FAILED',
  'MESH_CLOSED',
])

/** What it says of itself, in so many characters: another message's data are known by it. */
const TEXT_LENGTH = 80

/** @param incarnation Tells the ids of this process from those of one of the same name that was killed before. */
export function publishing(mesh: Mesh, recorder: Recorder, incarnation: string): Publishing {
  let open = 0
  let count = 0
  return {
    get open() {
      return open
    },
    async publish(contract, data, delayMs) {
      open += 1
      const id = `${incarnation}-${count++}`
      const { n, key } = data
      const due = delayMs === undefined ? undefined : Math.floor(recorder.now() + delayMs)
      const about = { op: 'publish', id, type: contract.type, n, ...(key !== undefined && { key }) } as const
      recorder.record({ ...about, phase: 'invoke', ...(due !== undefined && { due }) })
      try {
        await mesh.publish(
          contract,
          { ...data, text: id.padEnd(TEXT_LENGTH) },
          { id, ...(delayMs !== undefined && { deliverIn: delayMs }) },
        )
        recorder.record({ ...about, phase: 'ok' })
        return true
      } catch (error) {
        const why = error instanceof MeshError ? error.code : error instanceof Error ? error.name : typeof error
        if (REFUSALS.has(why)) recorder.record({ ...about, phase: 'fail' })
        else recorder.record({ ...about, phase: 'unknown', ...(!IN_DOUBT.has(why) && { fault: why }) })
        return false
      } finally {
        open -= 1
      }
    },
  }
}
