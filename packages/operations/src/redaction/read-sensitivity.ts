import type { Mesh } from '@malha/mesh'
import { saidOrNone } from '../contracts/said.ts'
import { allWithheld, type Sensitivity, sensitivityOf } from './sensitivity.ts'

/** A service that starts with a new contract is heard of after this. */
const FRESH_MS = 2000

/** What is sensitive in a mesh, read again from time to time; what was read before counts while it cannot be. Never rejects. */
export function sensitivityReader(mesh: Mesh): () => Promise<Sensitivity> {
  let last: Sensitivity | undefined
  let readAt = -Infinity
  let reading: Promise<Sensitivity> | undefined
  const read = async (): Promise<Sensitivity> => {
    try {
      last = sensitivityOf((await saidOrNone(mesh)) ?? [])
      readAt = performance.now()
      return last
    } catch (error) {
      return last ?? allWithheld(error)
    } finally {
      reading = undefined
    }
  }
  return async () => {
    if (last && performance.now() - readAt < FRESH_MS) return last
    return await (reading ??= read())
  }
}
