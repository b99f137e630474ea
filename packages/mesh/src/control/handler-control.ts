import type { NatsConnection } from '@nats-io/transport-node'
import { limitFaults, type RateLimit } from '../consume/rate-limit.ts'
import { isMatch, isObject, shown } from '../given.ts'
import { getStored, type StoredMessage } from '../read/stored-message.ts'
import { HANDLERS, type Names } from '../topology/names.ts'

/** That a handler starts nothing. */
export type Pause = {
  /** RFC 3339, by the server's clock; null: until somebody resumes it. */
  readonly until: string | null
  readonly who: string
  readonly reason: string
  readonly at: string
}

/** What is said of a handler while it runs, to all instances of its service. A value of the bucket `HANDLERS`, format 1; docs/reference/wire.md. */
export type HandlerControl = {
  readonly v: 1
  readonly paused: Pause | null
  /** In each process. Absent: as its service declares it. */
  readonly concurrency?: number
  /** In each process. Absent: as its service declares it; null: none. */
  readonly rateLimit?: RateLimit | null
  /** The last change, of whatever it was. */
  readonly changed: { readonly who: string; readonly reason: string | null; readonly at: string }
}

export type StoredControl = {
  readonly service: string
  readonly handler: string
  /** What the next write expects. */
  readonly revision: number
  /** Undefined where it was removed. */
  readonly control: HandlerControl | undefined
  /** Why it cannot be read; then `control` is undefined. */
  readonly fault?: string
}

/**
 * What is said of the handlers of one service, or of all, as the bucket's leader has it; nothing where there is no bucket. One request
 * more than there are. Needs `$JS.API.STREAM.MSG.GET.KV_HANDLERS`.
 * @throws what the server said, or did not say
 */
export async function readControls(
  { nc, names }: { nc: NatsConnection; names: Names },
  service = '*',
): Promise<StoredControl[]> {
  const stream = `KV_${names.bucket(HANDLERS)}`
  const filter = names.handlerControl(service, '*')
  const found: StoredControl[] = []
  for (let seq = 1; ;) {
    const stored = await getStored(nc, stream, { seq, next_by_subj: filter })
    if (!stored) return found
    found.push(readControl(stored))
    seq = stored.seq + 1
  }
}

/** One of them; `revision` is 0 where nothing was ever said. */
export async function readControlOf(
  { nc, names }: { nc: NatsConnection; names: Names },
  { service, handler }: { service: string; handler: string },
): Promise<StoredControl> {
  const subject = names.handlerControl(service, handler)
  const stored = await getStored(nc, `KV_${names.bucket(HANDLERS)}`, { last_by_subj: subject })
  return stored ? readControl(stored) : { service, handler, revision: 0, control: undefined }
}

function readControl({ subject, seq: revision, payload }: StoredMessage): StoredControl {
  const [service = '', handler = ''] = subject.split('.').slice(-2)
  const place = { service, handler, revision, control: undefined }
  // A marker that it was removed.
  if (payload.length === 0) return place
  try {
    const value = JSON.parse(payload.toString()) as HandlerControl
    const faults = controlFaults(value)
    return faults.length > 0 ? { ...place, fault: faults.join('; ') } : { ...place, control: value }
  } catch {
    return { ...place, fault: 'it is no JSON' }
  }
}

/** Anybody may write there. */
function controlFaults(value: unknown): string[] {
  if (!isObject(value)) return [`it is ${shown(value)}, and no object`]
  if (value['v'] !== 1) return [`its format is ${shown(value['v'])}, of a newer release; upgrade this service`]
  const { paused, changed, concurrency, rateLimit } = value as Partial<HandlerControl>
  const faults = limitFaults({ concurrency, rateLimit: rateLimit ?? undefined })
  if (paused !== null && !isPause(paused)) faults.push('paused is neither null nor { until, who, reason, at }')
  if (!isObject(changed) || typeof changed.who !== 'string') faults.push('changed is not { who, reason, at }')
  return faults
}

const isPause = (value: unknown): value is Pause =>
  isObject(value) &&
  ['who', 'reason', 'at'].every((name) => typeof value[name] === 'string') &&
  (value['until'] === null || (isMatch(value['until'], /^\d{4}-/) && !Number.isNaN(Date.parse(value['until']))))

/** The pause that holds at a time, unix ms; undefined where there is none, or it is over. */
export function pauseAt(control: HandlerControl | undefined, now: number): Pause | undefined {
  const pause = control?.paused ?? undefined
  return pause && (pause.until === null || Date.parse(pause.until) > now) ? pause : undefined
}
