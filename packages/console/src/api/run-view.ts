import type { Run } from '@malha/operations'
import type { RunWorkers } from '../live/run-workers.ts'
import type { RunView } from './schemas/runs.ts'

/** A runner writes how far it is twice a second. */
const UNATTENDED_MS = 10_000

/** How a run stands, and who works on it. */
export function runView(workers: RunWorkers, run: Run): RunView {
  const { worksHere, gaveUp } = workers.stateOf(run.id)
  const isIdle = Date.now() - Date.parse(run.movedAt) > UNATTENDED_MS
  const isUnattended = run.state === 'running' && !worksHere && isIdle
  return { ...asView(run), worksHere, isUnattended, ...(gaveUp !== undefined && { gaveUp }) }
}

/** A replay has a slice of events where a redrive has a filter. */
function asView(run: Run) {
  return run.kind === 'redrive'
    ? { ...run, filter: { ...run.filter } }
    : { ...run, from: { ...run.from }, withheld: { ...run.withheld } }
}
