import { askStatus, type HandlerControl, limitFaults, type Mesh, pauseAt, type RateLimit } from '@malha/mesh'
import type { Desk } from '../audit/audited.ts'
import { OperationsError } from '../errors.ts'
import { changeHandler, type HandlerChange, type Told } from './change.ts'
import { type HandlersNow, type ListedHandler, listHandlers, lookAtHandlers } from './list.ts'

/** Paused until a time, or for so long from now, ms; neither: until somebody resumes it. */
export type PauseOptions = Told & {
  readonly reason: string
  readonly until?: Date | undefined
  readonly forMs?: number | undefined
}

/** What is left out stays as it is; `'declared'` is what the service itself says. */
export type SetOptions = Told & {
  /** Messages at once, in each process. */
  readonly concurrency?: number | 'declared' | undefined
  /** In each process; `'none'` takes the declared limit away. */
  readonly rateLimit?: RateLimit | 'none' | 'declared' | undefined
}

/**
 * The handlers of a mesh. What is said of one is heard by every instance of its service, those that start later too, and
 * stays until something else is said.
 */
export interface Handlers {
  /** All there are, with how they stand and what each running process says of them. Changes nothing on the server. */
  list(): Promise<ListedHandler[]>
  /** The same with what each process says of itself: those that run a handler, and those of `others`, services that may have none. */
  look(others: readonly string[]): Promise<HandlersNow>
  /**
   * Has a handler start nothing more, in all instances, until a time or until it is resumed. What runs ends as always.
   * @throws OperationsError OPERATIONS_INVALID_OPTIONS | OPERATIONS_NO_HANDLER | OPERATIONS_HANDLER_MOVED
   */
  pause(options: PauseOptions): Promise<HandlerChange>
  /** One that is not paused stays as it is: `before` and `after` are the same. @throws as `pause` */
  resume(options: Told): Promise<HandlerChange>
  /** How much each process does at once, or a second. @throws as `pause` */
  set(options: SetOptions): Promise<HandlerChange>
}

export function handlersOf(desk: Desk): Handlers {
  return {
    list: () => listHandlers(desk.mesh),
    look: (others) => lookAtHandlers(desk.mesh, others),
    pause: async ({ until, forMs, ...told }) => {
      refuse(untilFaults(until, forMs))
      const { who, reason } = told
      const to = (before: HandlerControl | undefined, now: Date): Said => {
        const end = forMs === undefined ? until : new Date(now.getTime() + forMs)
        if (end && end <= now)
          refuse([`until is ${end.toISOString()}, and at the server it is ${now.toISOString()} already`])
        const paused = { until: end?.toISOString() ?? null, who, reason, at: now.toISOString() }
        return { ...limitsOf(before ?? {}), paused }
      }
      return await changeHandler(desk, told, { verb: 'pause', to })
    },
    resume: async (told) => {
      const to = (before: HandlerControl | undefined, now: Date): Said | undefined =>
        pauseAt(before, now.getTime()) ? { ...limitsOf(before ?? {}), paused: null } : undefined
      return await changeHandler(desk, told, { verb: 'resume', to })
    },
    set: async ({ concurrency, rateLimit, ...told }) => {
      refuse([...setFaults({ concurrency, rateLimit }), ...(await batchFaults(desk.mesh, told, concurrency))])
      const to = (before: HandlerControl | undefined, now: Date): Said => {
        const limits = {
          concurrency: concurrency === undefined ? before?.concurrency : numberOf(concurrency),
          rateLimit: rateLimit === undefined ? before?.rateLimit : rateOf(rateLimit),
        }
        return { ...limitsOf(limits), paused: pauseAt(before, now.getTime()) ?? null }
      }
      return await changeHandler(desk, told, { verb: 'set', to })
    },
  }
}

type Said = Omit<HandlerControl, 'v' | 'changed'>

/** Its limits as they are to stand there: one that is absent is as declared. */
function limitsOf({
  concurrency,
  rateLimit,
}: {
  concurrency?: number | undefined
  rateLimit?: RateLimit | null | undefined
}): Pick<HandlerControl, 'concurrency' | 'rateLimit'> {
  return { ...(concurrency === undefined ? {} : { concurrency }), ...(rateLimit === undefined ? {} : { rateLimit }) }
}

function refuse(faults: readonly string[]): void {
  if (faults.length > 0) throw new OperationsError('OPERATIONS_INVALID_OPTIONS', faults.join('; '))
}

/** As they stand in the bucket. */
const rateOf = (rateLimit: RateLimit | 'none' | 'declared'): RateLimit | null | undefined =>
  rateLimit === 'declared' ? undefined : rateLimit === 'none' ? null : rateLimit
const numberOf = (concurrency: number | 'declared'): number | undefined =>
  concurrency === 'declared' ? undefined : concurrency

const FOREVER_MS = 100 * 365 * 86_400_000

function untilFaults(until: Date | undefined, forMs: number | undefined): string[] {
  if (until !== undefined && forMs !== undefined) return ['until and forMs are both given; one of them']
  if (until !== undefined && Number.isNaN(until.getTime())) return ['until is no valid date']
  if (forMs === undefined || (Number.isFinite(forMs) && forMs > 0 && forMs <= FOREVER_MS)) return []
  return [`forMs is ${forMs}; over 0, to a hundred years`]
}

function setFaults({ concurrency, rateLimit }: Pick<SetOptions, 'concurrency' | 'rateLimit'>): string[] {
  if (concurrency === undefined && rateLimit === undefined) return ['neither concurrency nor rateLimit is given']
  const atOnce = concurrency === undefined ? undefined : numberOf(concurrency)
  const rate = rateLimit === undefined ? undefined : rateOf(rateLimit)
  return limitFaults({ concurrency: atOnce, rateLimit: rate ?? undefined })
}

/** A batch that could never be full would wait for its age each time; only a process that runs knows its size. */
async function batchFaults(
  mesh: Mesh,
  { service, handler }: Told,
  concurrency: SetOptions['concurrency'],
): Promise<string[]> {
  if (typeof concurrency !== 'number') return []
  const instances = await askStatus({ nats: mesh.nats, names: mesh.names }, [service])
  const sizes = instances.flatMap(({ handlers }) =>
    handlers.flatMap((one) => (one.handler === handler ? (one.batch ?? 1) : [])),
  )
  const size = Math.max(1, ...sizes)
  return concurrency < size
    ? [`concurrency is ${concurrency}, and a batch of ${size} would never be full; at least ${size}`]
    : []
}
