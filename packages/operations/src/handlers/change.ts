import { type HandlerControl, type Mesh, provisionControls, readControlOf, type StoredControl } from '@malha/mesh'
import { JetStreamApiCodes, JetStreamApiError, jetstream } from '@nats-io/jetstream'
import { type Actor, audited, checkActor, type Desk } from '../audit/audited.ts'
import { OperationsError } from '../errors.ts'
import { streamNow } from '../read/read-on.ts'
import { needHandler } from './find-handler.ts'

/** Which handler, and who says it. */
export type Told = Actor & {
  readonly service: string
  readonly handler: string
  /** What the list said; refused when somebody changed it since. @default whatever there is */
  readonly revision?: number | undefined
}

/** What stood there, and what stands there now; null: nothing was ever said. */
export type HandlerChange = { readonly before: HandlerControl | null; readonly after: HandlerControl | null }

type Wanted = {
  verb: 'pause' | 'resume' | 'set'
  /** What is to stand there; undefined: nothing is to be changed. `now` as the server has it. */
  to: (before: HandlerControl | undefined, now: Date) => Omit<HandlerControl, 'v' | 'changed'> | undefined
}

const WRITE_MS = 15_000

/**
 * Says something of a handler to all instances of its service, by compare-and-set: the one place where that is written.
 * @throws OperationsError OPERATIONS_INVALID_OPTIONS | OPERATIONS_NO_HANDLER | OPERATIONS_HANDLER_MOVED | OPERATIONS_HANDLER_UNFIT |
 * OPERATIONS_NOT_AUDITED
 */
export async function changeHandler(desk: Desk, told: Told, { verb, to }: Wanted): Promise<HandlerChange> {
  const { service, handler, who, reason, revision } = told
  const { mesh } = desk
  checkActor(told, { needsReason: verb === 'pause' })
  const { now } = await needHandler(mesh, { service, handler })
  for (;;) {
    const found = await readControlOf({ nc: mesh.nats, names: mesh.names }, { service, handler })
    if (revision !== undefined && revision !== found.revision) throw moved(told)
    if (found.fault !== undefined) throw unreadable(told, found.fault)
    const before = found.control ?? null
    const wanted = to(found.control, now)
    if (!wanted) return { before, after: before }
    const after: HandlerControl = { v: 1, ...wanted, changed: { who, reason: reason ?? null, at: now.toISOString() } }
    const act = { who, reason, action: `handler.${verb}`, target: `${service}.${handler}`, before, after }
    try {
      await audited(desk, act, () => write(mesh, found, after))
      return { before, after }
    } catch (error) {
      // What is wanted is wanted of what somebody else wrote at this moment, too.
      const isLate = error instanceof OperationsError && error.code === 'OPERATIONS_HANDLER_MOVED'
      if (!isLate || revision !== undefined) throw error
    }
  }
}

/** Whoever says something first makes the bucket, if he may. */
async function write(mesh: Mesh, { service, handler, revision }: StoredControl, to: HandlerControl): Promise<void> {
  if (!(await streamNow(mesh, `KV_${mesh.names.bucket('HANDLERS')}`))) await provisionControls(mesh)
  const subject = mesh.names.handlerControl(service, handler)
  const expect = { lastSubjectSequence: revision }
  try {
    await jetstream(mesh.nats, { checkAPI: false }).publish(subject, JSON.stringify(to), { expect, timeout: WRITE_MS })
  } catch (error) {
    const isLate = error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamWrongLastSequence
    throw isLate ? moved({ service, handler }) : error
  }
  // Who misses it sees the bucket within half a minute.
  mesh.nats.publish(mesh.names.control(service))
  await mesh.nats.flush()
}

function unreadable({ service, handler }: Told, fault: string): OperationsError {
  return new OperationsError(
    'OPERATIONS_HANDLER_UNFIT',
    `what is said of handler ${handler} of ${service} cannot be read by this release: ${fault}; nothing was written`,
  )
}

function moved({ service, handler }: Pick<Told, 'service' | 'handler'>): OperationsError {
  return new OperationsError(
    'OPERATIONS_HANDLER_MOVED',
    `somebody said something else of handler ${handler} of ${service} meanwhile; nothing was written`,
  )
}
