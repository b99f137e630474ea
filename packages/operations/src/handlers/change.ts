import {
  type HandlerControl,
  type Mesh,
  provisionControls,
  type RateLimit,
  readControlOf,
  type StoredControl,
} from '@malha/mesh'
import { JetStreamApiCodes, JetStreamApiError, jetstream } from '@nats-io/jetstream'
import { OperationsError } from '../errors.ts'
import { streamNow } from '../letters/read-on.ts'
import { findHandler } from './find-handler.ts'

/** Which handler, and who says it, for those who look later. */
export type Told = {
  readonly service: string
  readonly handler: string
  readonly who: string
  readonly reason?: string | undefined
  /** What the list said; refused when somebody changed it since. @default whatever there is */
  readonly revision?: number | undefined
}

/** What stood there, and what stands there now; null: nothing was ever said. */
export type HandlerChange = { readonly before: HandlerControl | null; readonly after: HandlerControl | null }

type Change = (before: HandlerControl | undefined, now: Date) => Omit<HandlerControl, 'v' | 'changed'> | undefined

const LONGEST_TEXT = 1000
const WRITE_MS = 15_000

/**
 * Says something of a handler to all instances of its service, by compare-and-set: the one place where that is written.
 * `change` returns what is to stand there, undefined: nothing is to be changed.
 * @throws OperationsError OPERATIONS_INVALID_OPTIONS | OPERATIONS_NO_HANDLER | OPERATIONS_HANDLER_MOVED
 */
export async function changeHandler(mesh: Mesh, told: Told, change: Change): Promise<HandlerChange> {
  const { service, handler, who, reason, revision } = told
  const faults = [...textFaults('who', who), ...(reason === undefined ? [] : textFaults('reason', reason))]
  if (faults.length > 0) throw new OperationsError('OPERATIONS_INVALID_OPTIONS', faults.join('; '))
  const { now } = await findHandler(mesh, service, handler)
  await provisionOnce(mesh)
  for (;;) {
    const found = await readControlOf({ nc: mesh.nats, names: mesh.names }, { service, handler })
    if (revision !== undefined && revision !== found.revision) throw moved(told)
    if (found.fault !== undefined) throw unreadable(told, found.fault)
    const wanted = change(found.control, now)
    const before = found.control ?? null
    if (!wanted) return { before, after: before }
    const after: HandlerControl = {
      v: 1,
      ...wanted,
      changed: { who, reason: reason ?? null, at: now.toISOString() },
    }
    if (await write(mesh, found, after)) return { before, after }
  }
}

/** Both must say something, or others who look later learn nothing. */
export function textFaults(name: string, text: string): string[] {
  if (typeof text !== 'string' || text.trim() === '') return [`${name} must say something: others will read it`]
  return text.length > LONGEST_TEXT ? [`${name} has ${text.length} characters; at most ${LONGEST_TEXT}`] : []
}

/** Its limits as they are to stand there: one that is absent is as declared. */
export function limitsOf({
  concurrency,
  rateLimit,
}: {
  concurrency?: number | undefined
  rateLimit?: RateLimit | null | undefined
}): Pick<HandlerControl, 'concurrency' | 'rateLimit'> {
  return { ...(concurrency === undefined ? {} : { concurrency }), ...(rateLimit === undefined ? {} : { rateLimit }) }
}

/** Whoever says something first makes the bucket, if he may. */
async function provisionOnce(mesh: Mesh): Promise<void> {
  if (!(await streamNow(mesh, `KV_${mesh.names.bucket('HANDLERS')}`))) await provisionControls(mesh)
}

/** False where somebody wrote it meanwhile. */
async function write(
  mesh: Mesh,
  { service, handler, revision }: StoredControl,
  control: HandlerControl,
): Promise<boolean> {
  try {
    await jetstream(mesh.nats, { checkAPI: false }).publish(
      mesh.names.handlerControl(service, handler),
      JSON.stringify(control),
      { expect: { lastSubjectSequence: revision }, timeout: WRITE_MS },
    )
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamWrongLastSequence) return false
    throw error
  }
  // Who misses it sees the bucket within half a minute.
  mesh.nats.publish(mesh.names.control(service))
  await mesh.nats.flush()
  return true
}

function unreadable({ service, handler }: Told, fault: string): OperationsError {
  return new OperationsError(
    'OPERATIONS_HANDLER_UNFIT',
    `what is said of handler ${handler} of ${service} cannot be read by this release: ${fault}; nothing was written`,
  )
}

function moved({ service, handler }: Told): OperationsError {
  return new OperationsError(
    'OPERATIONS_HANDLER_MOVED',
    `somebody said something else of handler ${handler} of ${service} meanwhile; nothing was written`,
  )
}
