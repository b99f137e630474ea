import type { ServiceContracts } from '@malha/mesh'
import type { Operations } from '@malha/operations'
import { problemOf } from '../http/problem.ts'

/** What services said of themselves, and why it is not known where it is not. */
export type Said = { services: readonly ServiceContracts[]; missing: readonly string[] }

/** Services say it at their start, so it need not be read for every sample, ms. */
const KEPT_MS = 10_000

export function saidContracts({ contracts }: Pick<Operations, 'contracts'>): () => Promise<Said> {
  let kept: { said: Promise<Said>; atMs: number } | undefined
  return () => {
    if (!kept || Date.now() - kept.atMs > KEPT_MS) kept = { said: read(), atMs: Date.now() }
    return kept.said
  }

  async function read(): Promise<Said> {
    try {
      return { services: await contracts.services(), missing: [] }
    } catch (error) {
      return { services: [], missing: [`who publishes what: ${problemOf(error).detail}`] }
    }
  }
}
