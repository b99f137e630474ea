import { randomBytes } from 'node:crypto'
import { type Mesh, provisionOperations } from '@malha/mesh'
import { JetStreamApiCodes, JetStreamApiError, jetstreamManager } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import { type Actor, audited, checkActor, type Desk } from '../audit/audited.ts'
import { OperationsError } from '../errors.ts'
import { catchUp } from '../letters/follow.ts'
import { streamNow } from '../letters/read-on.ts'
import type { LetterFilter } from '../letters/letter-filter.ts'
import type { LetterIndex, ListedLetter } from '../letters/letter-index.ts'
import {
  DEFAULT_LIMITS,
  isOver,
  readRun,
  type Run,
  type RunLimits,
  type RunState,
  type StoredRun,
  writeRun,
} from './run.ts'
import { Runner, type RunnerOptions } from './runner.ts'

export type RedriveOptions = Actor & {
  /** Which letters: those that fit, are open, and are written by now. */
  filter: Omit<LetterFilter, 'state'>
  limits?: Partial<RunLimits>
}

/** What a redrive would send, if it began now. */
export type Plan = {
  /** Letters that are open and would be sent. */
  readonly total: number
  /** By handler. */
  readonly handlers: readonly { readonly service: string; readonly handler: string; readonly letters: number }[]
  /** The oldest few of them. */
  readonly samples: readonly ListedLetter[]
}

/** Runs send letters to their handlers again, and to nobody else. */
export interface Runs {
  /** The exact count, and samples; sends nothing. @throws OperationsError OPERATIONS_HANDLER_UNFIT with every fault */
  plan(filter: Omit<LetterFilter, 'state'>): Promise<Plan>
  /**
   * Writes a run down, with the letters there are now. `work` sends them.
   * @throws OperationsError OPERATIONS_NOTHING_TO_SEND | OPERATIONS_HANDLER_UNFIT | OPERATIONS_INVALID_OPTIONS | OPERATIONS_NOT_AUDITED
   */
  redrive(options: RedriveOptions): Promise<Run>
  /**
   * Sends what is left of a run, and resolves with it when it is over; takes it from a runner that has it.
   * @throws OperationsError OPERATIONS_NO_RUN | OPERATIONS_RUN_TAKEN | OPERATIONS_NOT_AUDITED
   */
  work(id: string, options: Actor & RunnerOptions): Promise<Run>
  /** The newest first. */
  list(): Promise<Run[]>
  /** @throws OperationsError OPERATIONS_NO_RUN */
  read(id: string): Promise<Run>
  /**
   * Nothing is sent until somebody resumes it; nothing is done to one that is paused already.
   * @throws OperationsError OPERATIONS_NO_RUN | OPERATIONS_RUN_OVER | OPERATIONS_RUN_MOVED | OPERATIONS_NOT_AUDITED
   */
  pause(id: string, actor: Actor): Promise<Run>
  /** The opposite, with the same errors. */
  resume(id: string, actor: Actor): Promise<Run>
  /** Nothing more is sent; what was sent is handled. With the same errors. */
  cancel(id: string, actor: Actor): Promise<Run>
}

/** What somebody wants of a run. */
type Turn = { verb: 'pause' | 'resume' | 'cancel'; state: RunState }

const BUCKET = 'RUNS'
const SAMPLES = 5
const NO_COUNTS = { sent: 0, ok: 0, failed: 0, overtaken: 0, skipped: 0, gone: 0 }

export function runsOf(desk: Desk, index: LetterIndex): Runs {
  const { mesh } = desk
  let opened: Promise<KV> | undefined
  const bucket = (): Promise<KV> => (opened ??= mesh.bucket(BUCKET))
  const stored = async (id: string): Promise<StoredRun> => {
    const found = /^[a-z0-9-]{1,64}$/.test(id) ? await readRun(await bucket(), id) : undefined
    if (!found) throw new OperationsError('OPERATIONS_NO_RUN', `there is no run ${JSON.stringify(id.slice(0, 64))}`)
    return found
  }
  const turn = async (id: string, actor: Actor, { verb, state }: Turn): Promise<Run> => {
    checkActor(actor)
    const { run } = await stored(id)
    if (run.state === state) return run
    const act = { ...actor, action: `run.${verb}`, target: id, before: { state: run.state }, after: { state } }
    return await audited(desk, act, async () => {
      // Its runner writes how far it is, several times a second.
      for (;;) {
        const now = await stored(id)
        if (isOver(now.run)) throw over(now.run)
        if (now.run.state !== run.state) throw moved(now.run)
        const written = await writeRun(await bucket(), { ...now.run, state }, now.revision)
        if (written) return written.run
      }
    })
  }
  const take = async (id: string, actor: Actor): Promise<StoredRun | Run> => {
    checkActor(actor)
    const { run } = await stored(id)
    if (isOver(run)) return run
    const runner = randomBytes(6).toString('hex')
    const before = { state: run.state, runner: run.runner }
    const act = { ...actor, action: 'run.work', target: id, before, after: { state: run.state, runner } }
    return await audited(desk, act, async () => {
      for (;;) {
        const now = await stored(id)
        if (isOver(now.run)) throw over(now.run)
        if (now.run.runner !== run.runner) throw taken(now.run)
        const written = await writeRun(await bucket(), { ...now.run, runner }, now.revision)
        if (written) return written
      }
    })
  }
  return {
    async plan(filter) {
      await catchUp(mesh, index)
      return await planOf(mesh, index, filter)
    },
    async redrive({ filter, limits = {}, ...actor }) {
      checkActor(actor)
      const checked = { ...DEFAULT_LIMITS, ...limits }
      checkLimits(checked)
      await catchUp(mesh, index)
      const { total } = await planOf(mesh, index, filter)
      if (total === 0) throw new OperationsError('OPERATIONS_NOTHING_TO_SEND', 'no open letter fits the filter')
      const run = newRun({ ...actor, filter, limits: checked, upTo: index.last, total })
      const after = { kind: run.kind, filter, upTo: run.upTo, total, limits: checked, state: run.state }
      const act = { ...actor, action: 'run.begin', target: run.id, before: null, after }
      return await audited(desk, act, async () => {
        await provisionOperations(mesh)
        const operations = await streamNow(mesh, mesh.names.operations())
        // What was written before it is of others.
        const begun = { ...run, followed: operations?.info.state.last_seq ?? 0 }
        await (await bucket()).create(run.id, JSON.stringify(begun))
        return begun
      })
    },
    async work(id, { who, reason, ...options }) {
      const taking = await take(id, { who, reason })
      if (!('revision' in taking)) return taking
      return await new Runner({ mesh, index, bucket: await bucket() }, taking, options).work()
    },
    async list() {
      // For an onlooker nothing is made.
      if (!(await streamNow(mesh, `KV_${mesh.names.bucket(BUCKET)}`))) return []
      const kv = await bucket()
      const ids: string[] = []
      for await (const id of await kv.keys()) ids.push(id)
      const runs = await Promise.all(ids.map((id) => readRun(kv, id)))
      return runs.flatMap((found) => (found ? [found.run] : [])).sort((a, b) => (a.id < b.id ? 1 : -1))
    },
    read: async (id) => (await stored(id)).run,
    pause: (id, actor) => turn(id, actor, { verb: 'pause', state: 'paused' }),
    resume: (id, actor) => turn(id, actor, { verb: 'resume', state: 'running' }),
    cancel: (id, actor) => turn(id, actor, { verb: 'cancel', state: 'cancelled' }),
  }
}

function newRun({ who, reason, ...asked }: Actor & Pick<Run, 'filter' | 'limits' | 'upTo' | 'total'>): Run {
  const at = new Date().toISOString()
  return {
    v: 1,
    id: `${at.slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')}-${randomBytes(3).toString('hex')}`,
    kind: 'redrive',
    who,
    reason: reason ?? null,
    ...asked,
    state: 'running',
    runner: '',
    cursor: 0,
    followed: 0,
    counts: NO_COUNTS,
    gone: [],
    beganAt: at,
    movedAt: at,
  }
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

async function planOf(mesh: Mesh, index: LetterIndex, filter: Omit<LetterFilter, 'state'>): Promise<Plan> {
  const open = { ...filter, state: 'open', kind: 'message' } as const
  const handlers = index.handlers(open, index.last)
  const faults = await Promise.all(handlers.map(({ service, handler }) => handlerFault(mesh, service, handler)))
  const found = faults.filter((fault) => fault !== undefined)
  if (found.length > 0) throw new OperationsError('OPERATIONS_HANDLER_UNFIT', found.join('; '))
  const samples = index.onwards(open, { after: 0, upTo: index.last, limit: SAMPLES })
  return { total: index.count(open), handlers, samples }
}

const MISSING: ReadonlySet<number> = new Set([JetStreamApiCodes.ConsumerNotFound, JetStreamApiCodes.StreamNotFound])

/** Why nothing can be sent to a handler. */
async function handlerFault(mesh: Mesh, service: string, handler: string): Promise<string | undefined> {
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  try {
    const { config } = await jsm.consumers.info(mesh.names.lanes(service), mesh.names.durable(service, handler))
    if (config.metadata?.['malha.order'] === 'key')
      return `handler ${handler} of ${service} keeps the order of its keys; its letters cannot be sent again by this release`
    return undefined
  } catch (error) {
    const isMissing = error instanceof JetStreamApiError && MISSING.has(error.code)
    if (!isMissing) throw error
    return `handler ${handler} of ${service} has no lane on this server; start the service once, or restore its name`
  }
}

function checkLimits(limits: RunLimits): void {
  const faults = Object.entries(limits)
    .filter(([, value]) => !(Number.isInteger(value) && value >= 1 && value <= 1_000_000))
    .map(([name, value]) => `${name} is ${value}; a whole number from 1 to 1000000`)
  if (faults.length > 0) throw new OperationsError('OPERATIONS_INVALID_OPTIONS', faults.join('; '))
}
