import { randomBytes } from 'node:crypto'
import { type Mesh, provisionOperations } from '@malha/mesh'
import { type Actor, audited, checkActor, type Desk } from '../audit/audited.ts'
import type { Plain } from '../audit/entry.ts'
import { OperationsError } from '../errors.ts'
import { streamNow } from '../read/read-on.ts'
import { NO_COUNTS, type Run, type RunLimits, withDefaults } from './run.ts'
import type { RunStore } from './run-store.ts'

/** Who asks for a run, why, and how fast it may go. */
export type Asked = Actor & { limits?: Partial<RunLimits> }

/** What a run has from its begin on, beside what it is about. */
type Begun = Omit<Extract<Run, { kind: 'redrive' }>, 'kind' | 'filter' | 'asOf' | 'upTo' | 'cursor' | 'gone'>

/** @throws OperationsError OPERATIONS_INVALID_OPTIONS */
export function limitsOf({ limits: given = {}, ...actor }: Asked): RunLimits {
  checkActor(actor)
  const limits = withDefaults(given)
  const faults = Object.entries(limits)
    .filter(([, value]) => !(Number.isInteger(value) && value >= 1 && value <= 1_000_000))
    .map(([name, value]) => `${name} is ${value}; a whole number from 1 to 1000000`)
  if (faults.length > 0) throw new OperationsError('OPERATIONS_INVALID_OPTIONS', faults.join('; '))
  return limits
}

export function newRun({ who, reason }: Actor, { limits, total }: Pick<Begun, 'limits' | 'total'>): Begun {
  const at = new Date().toISOString()
  return {
    v: 1,
    id: `${at.slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')}-${randomBytes(3).toString('hex')}`,
    who,
    reason: reason ?? null,
    total,
    limits,
    state: 'running',
    runner: '',
    followed: 0,
    counts: NO_COUNTS,
    waits: null,
    beganAt: at,
    movedAt: at,
  }
}

/**
 * Writes a run down. `turn` names what no two runs may do at once.
 * @throws OperationsError OPERATIONS_NO_ROOM | OPERATIONS_RUN_UNDER_WAY | OPERATIONS_NOT_AUDITED
 */
export async function begin(
  desk: Desk,
  run: Run,
  { store, about, turn }: { store: RunStore; about: { readonly [name: string]: Plain }; turn?: string },
): Promise<Run> {
  const { mesh } = desk
  const { id, kind, upTo, total, limits, state, who } = run
  const after = { kind, ...about, upTo, total, limits, state }
  const act = {
    who,
    ...(run.reason !== null && { reason: run.reason }),
    action: 'run.begin',
    target: id,
    before: null,
    after,
  }
  return await audited(desk, act, async () => {
    // What was written before it is of others.
    const begun = { ...run, followed: await roomFor(mesh, total) }
    const created = await store.create(begun)
    const other = turn === undefined ? undefined : await store.takeTurn(turn, begun)
    if (!other) return created.run
    await store.write({ ...begun, state: 'cancelled' }, created.revision)
    throw new OperationsError(
      'OPERATIONS_RUN_UNDER_WAY',
      `run ${other.id} of ${other.who} sends the same events to the same handler, and is ${other.state}`,
    )
  })
}

/** A claim and an outcome, each with its subject. */
const BYTES_OF_RECORDS = 700

/** The last record there is. @throws OperationsError OPERATIONS_NO_ROOM where those of so many messages do not fit */
async function roomFor(mesh: Mesh, total: number): Promise<number> {
  await provisionOperations(mesh)
  const operations = await streamNow(mesh, mesh.names.operations())
  const { state, config } = operations!.info
  const needed = total * BYTES_OF_RECORDS
  const left = config.max_bytes > 0 ? config.max_bytes - state.bytes : Infinity
  if (needed <= left) return state.last_seq
  throw new OperationsError(
    'OPERATIONS_NO_ROOM',
    `what becomes of ${total} messages takes some ${Math.ceil(needed / 1e6)} MB in ${config.name}, which has ${Math.floor(left / 1e6)} left`,
  )
}
