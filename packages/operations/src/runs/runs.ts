import type { ReplayReader } from '@malha/archive'
import type { Mesh } from '@malha/mesh'
import type { Actor, Desk } from '../audit/audited.ts'
import { OperationsError } from '../errors.ts'
import { catchUp } from '../letters/follow.ts'
import type { LetterFilter, RedriveFilter } from '../letters/letter-filter.ts'
import type { LetterIndex } from '../letters/letter-index.ts'
import type { ListedLetter } from '../letters/letter-row.ts'
import { ArchiveSource } from './archive-source.ts'
import { type Asked, begin, limitsOf, newRun } from './begin.ts'
import { fitHandler } from './handler-fit.ts'
import { takeRun, turnRun } from './hands.ts'
import { LetterSource } from './letter-source.ts'
import { needed, planReplay, type ReplayOf, type ReplayPlan, turnName } from './replay.ts'
import type { Run } from './run.ts'
import { runStoreOf } from './run-store.ts'
import { Runner, type RunnerOptions } from './runner.ts'
import type { RunSource } from './source.ts'
import { StreamSource } from './stream-source.ts'

export type RedriveOptions = Asked & {
  /** Which letters: those that fit, are open (or late, where that is asked for), and are written by now. */
  filter: RedriveFilter
  /** Letters up to this one: what a plan gave as `upTo` sends what it showed, and none written since. @default the last */
  upTo?: number | undefined
}

export type ReplayOptions = Asked & ReplayOf

/** What a redrive would send, if it began now. */
export type Plan = {
  /** Letters that would be sent. */
  readonly total: number
  /** The last letter that there was. */
  readonly upTo: number
  /** By handler. */
  readonly handlers: readonly { readonly service: string; readonly handler: string; readonly letters: number }[]
  /** The oldest few of them. */
  readonly samples: readonly ListedLetter[]
}

/** Runs send messages to their handlers again, and to nobody else: dead letters, or events of a stream or the archive. */
export interface Runs {
  /** The exact count, and samples; sends nothing. @throws OperationsError OPERATIONS_HANDLER_UNFIT with every fault */
  plan(filter: RedriveFilter): Promise<Plan>
  /**
   * Writes a run down, with the letters there are now. `work` sends them.
   * @throws OperationsError OPERATIONS_NOTHING_TO_SEND | OPERATIONS_HANDLER_UNFIT | OPERATIONS_INVALID_OPTIONS | OPERATIONS_NO_ROOM |
   * OPERATIONS_NOT_AUDITED
   */
  redrive(options: RedriveOptions): Promise<Run>
  /**
   * The same of events for one handler: the exact count, and samples; sends nothing.
   * @throws OperationsError OPERATIONS_HANDLER_UNFIT | OPERATIONS_INVALID_OPTIONS
   */
  planReplay(of: ReplayOf): Promise<ReplayPlan>
  /**
   * Writes a run down, with the events there are now. `work` sends them to the one handler.
   * @throws OperationsError OPERATIONS_RUN_UNDER_WAY where one that does the same is not over, and those of `redrive`
   */
  replay(options: ReplayOptions): Promise<Run>
  /**
   * Sends what is left of a run, and resolves with it when it is over; takes it from a runner that has it.
   * @throws OperationsError OPERATIONS_NO_RUN | OPERATIONS_RUN_TAKEN | OPERATIONS_SLICE_GONE | OPERATIONS_NOT_AUDITED
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

const SAMPLES = 5

export function runsOf({
  desk,
  index,
  archive,
}: {
  desk: Desk
  index: LetterIndex
  archive: ReplayReader | undefined
}): Runs {
  const { mesh } = desk
  const store = runStoreOf(mesh)
  const hands = { desk, store }
  const readers = { mesh, archive }
  const sourceOf = (run: Run): RunSource => {
    if (run.kind === 'redrive') return new LetterSource({ mesh, index }, run)
    return run.from.archive ? new ArchiveSource({ mesh, archive: needed(archive) }, run) : new StreamSource(mesh, run)
  }
  return {
    async plan(filter) {
      await catchUp(mesh, index)
      return await planOf(mesh, index, { filter, upTo: index.last })
    },
    async redrive({ filter, upTo: seen = Infinity, ...asked }) {
      const limits = limitsOf(asked)
      await catchUp(mesh, index)
      const asOf = index.lastRecord
      const { total, upTo } = await planOf(mesh, index, { filter, upTo: Math.min(seen, index.last) })
      if (total === 0) throw nothingToSend(filter, index)
      const common = newRun(asked, { limits, total })
      const run: Run = { ...common, kind: 'redrive', filter, asOf, upTo, cursor: 0, gone: [] }
      return await begin(desk, run, { store, about: { filter } })
    },
    planReplay: async (of) => (await planReplay(readers, of)).plan,
    async replay({ who, reason, limits: given, ...of }) {
      const asked = { who, reason, ...(given && { limits: given }) }
      const limits = limitsOf(asked)
      const { plan, found } = await planReplay(readers, of)
      const { total, service, handler, shadow } = plan
      const { slice: from, upTo } = found
      if (total === 0) throw new OperationsError('OPERATIONS_NOTHING_TO_SEND', `no event of ${from.stream} fits`)
      const about = { service, handler, from, asNew: of.asNew ?? false, shadow }
      const common = newRun(asked, { limits, total })
      const run: Run = { ...common, kind: 'replay', ...about, withheld: {}, upTo, cursor: from.seq - 1 }
      return await begin(desk, run, { store, about, turn: turnName(of) })
    },
    async work(id, { who, reason, ...options }) {
      // What it needs is looked at before it is taken from anybody.
      sourceOf((await store.get(id)).run)
      const taken = await takeRun(hands, { who, reason }, id)
      if (!('revision' in taken)) return taken
      return await new Runner({ mesh, store, source: sourceOf(taken.run) }, taken, options).work()
    },
    list: () => store.list(),
    read: async (id) => (await store.get(id)).run,
    pause: (id, actor) => turnRun(hands, actor, { id, verb: 'pause', state: 'paused' }),
    resume: (id, actor) => turnRun(hands, actor, { id, verb: 'resume', state: 'running' }),
    cancel: (id, actor) => turnRun(hands, actor, { id, verb: 'cancel', state: 'cancelled' }),
  }
}

function nothingToSend(filter: RedriveFilter, index: LetterIndex): OperationsError {
  const late = index.count({ ...filter, state: 'late', kind: 'message' })
  const said = late === 0 ? '' : `; ${late} that were done late do, and are sent with withLate (--with-late)`
  return new OperationsError(
    'OPERATIONS_NOTHING_TO_SEND',
    `no open letter fits the filter${filter.withLate ? '' : said}`,
  )
}

type Planned = { filter: RedriveFilter; upTo: number }

async function planOf(mesh: Mesh, index: LetterIndex, { filter, upTo }: Planned): Promise<Plan> {
  const open: LetterFilter = { ...filter, state: filter.withLate ? ['open', 'late'] : 'open', kind: 'message' }
  const handlers = index.handlers(open, upTo)
  const found = await Promise.all(handlers.map((one) => fitHandler(mesh, one)))
  const faults = found.filter((one) => typeof one === 'string')
  if (faults.length > 0) throw new OperationsError('OPERATIONS_HANDLER_UNFIT', faults.join('; '))
  const samples = index.onwards(open, { after: 0, upTo, limit: SAMPLES })
  return { total: index.count(open, upTo), upTo, handlers, samples }
}
