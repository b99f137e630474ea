/** What people do with a run that was begun. Its runner writes how far it is meanwhile, several times a second. */
import { randomBytes } from 'node:crypto'
import { type Actor, audited, checkActor, type Desk } from '../audit/audited.ts'
import { OperationsError } from '../errors.ts'
import { isOver, type Run, type RunState } from './run.ts'
import type { RunStore, StoredRun } from './run-store.ts'

/** What somebody wants of a run. */
type Turn = { id: string; verb: 'pause' | 'resume' | 'cancel'; state: RunState }

export async function turnRun(
  { desk, store }: { desk: Desk; store: RunStore },
  actor: Actor,
  { id, verb, state }: Turn,
): Promise<Run> {
  checkActor(actor)
  const { run } = await store.get(id)
  if (run.state === state) return run
  const act = { ...actor, action: `run.${verb}`, target: id, before: { state: run.state }, after: { state } }
  return await audited(desk, act, async () => {
    for (;;) {
      const now = await store.get(id)
      if (isOver(now.run)) throw over(now.run)
      if (now.run.state !== run.state) throw moved(now.run)
      const written = await store.write({ ...now.run, state }, now.revision)
      if (written) return written.run
    }
  })
}

/** For a runner of its own; one that is over comes back as it is. */
export async function takeRun(
  { desk, store }: { desk: Desk; store: RunStore },
  actor: Actor,
  id: string,
): Promise<StoredRun | Run> {
  checkActor(actor)
  const { run } = await store.get(id)
  if (isOver(run)) return run
  const runner = randomBytes(6).toString('hex')
  const before = { state: run.state, runner: run.runner }
  const act = { ...actor, action: 'run.work', target: id, before, after: { state: run.state, runner } }
  return await audited(desk, act, async () => {
    for (;;) {
      const now = await store.get(id)
      if (isOver(now.run)) throw over(now.run)
      if (now.run.runner !== run.runner) throw taken(now.run)
      const written = await store.write({ ...now.run, runner }, now.revision)
      if (written) return written
    }
  })
}

const over = ({ id, state, movedAt }: Run): OperationsError =>
  new OperationsError('OPERATIONS_RUN_OVER', `run ${id} is ${state} since ${movedAt}`)

const moved = ({ id, state }: Run): OperationsError =>
  new OperationsError(
    'OPERATIONS_RUN_MOVED',
    `somebody dealt with run ${id} at this moment: it is ${state}; nothing was written`,
  )

const taken = ({ id, runner }: Run): OperationsError =>
  new OperationsError(
    'OPERATIONS_RUN_TAKEN',
    `run ${id} was taken at this moment, by the runner ${runner}; nothing was written`,
  )
