import { type AttemptFailed, covers, decodeAttribute, HEADER, type Mesh, receivedHeaders } from '@malha/mesh'
import type { Msg, Subscription } from '@nats-io/nats-core'
import { OperationsError } from '../errors.ts'
import type { Sensitivity } from '../redaction/sensitivity.ts'
import { meshStreams } from './mesh-streams.ts'

/** Which events; what is given must all hold. */
export type TailFilter = {
  /** A type, or a pattern of subjects without the namespace: `center.registered`, `center.>`, `*.created`. @default all events */
  pattern?: string | undefined
  key?: string | undefined
  /** Who published it; of a failed attempt whose it is. */
  service?: string | undefined
  /** Only attempts of handlers that failed. @default false */
  errors?: boolean | undefined
}

/** An event as it goes by. */
export type TailEvent = {
  /** When it was seen here, RFC 3339. */
  readonly at: string
  /** Without the namespace. */
  readonly subject: string
  readonly id: string | undefined
  readonly type: string | undefined
  readonly key: string | undefined
  /** Who published it; undefined where it does not say. */
  readonly service: string | undefined
  readonly correlationId: string | undefined
  readonly traceId: string | undefined
  readonly payloadBytes: number
  /** The beginning of the payload, without what is sensitive; undefined where it is no text, or hidden whole. */
  readonly payload: string | undefined
  /** Why all of the payload is hidden; undefined where it is not. */
  readonly withheld: string | undefined
  /** Of a `mesh.attempt.failed`. */
  readonly failed: AttemptFailed | undefined
}

/** Events from now on. Ends when it is disposed of. */
export interface Tail extends AsyncIterable<TailEvent>, Disposable {
  /** What is listened to, without the namespace. */
  readonly subjects: readonly string[]
  /** How many were left out because they were not taken as fast as they came. */
  readonly dropped: number
}

const LONGEST_SHOWN = 1000
const MOST_KEPT = 10_000
const REFRESH_MS = 15_000
const FAILED = 'mesh.attempt.failed'

/**
 * Listens to what is published from now on: live, past no stream, so what the broker refuses is seen too, and a repeat
 * twice. Needs the right to subscribe to the subjects; without a pattern also `$JS.API.STREAM.LIST`.
 * @throws OperationsError OPERATIONS_INVALID_OPTIONS; while events are taken OPERATIONS_UNREADABLE
 */
export async function tailEvents(
  mesh: Mesh,
  sensitivity: () => Promise<Sensitivity>,
  filter: TailFilter = {},
): Promise<Tail> {
  const subjects = await subjectsOf(mesh, filter)
  let sensitive = await sensitivity()
  let refreshing: NodeJS.Timeout | undefined
  const kept: TailEvent[] = []
  const subscriptions: Subscription[] = []
  let dropped = 0
  let isOver = false
  let fault: Error | undefined
  let wake = (): void => undefined
  const end = (error?: Error): void => {
    isOver = true
    clearInterval(refreshing)
    fault ??= error
    for (const each of subscriptions) each.unsubscribe()
    wake()
  }
  const onMessage = (error: Error | null, message: Msg): void => {
    if (error) {
      end(
        new OperationsError('OPERATIONS_UNREADABLE', `cannot listen to ${subjects.join(', ')}: ${error.message}`, {
          cause: error,
        }),
      )
      return
    }
    const event = tailEvent(mesh, sensitive, message)
    if (!isWanted(event, filter)) return
    if (kept.length < MOST_KEPT) kept.push(event)
    else dropped++
    wake()
  }
  for (const subject of subjects)
    subscriptions.push(mesh.nats.subscribe(mesh.names.subject(subject), { callback: onMessage }))
  await mesh.nats.flush()
  refreshing = setInterval(() => void sensitivity().then((now) => (sensitive = now)), REFRESH_MS).unref()
  return {
    subjects,
    get dropped() {
      return dropped
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const event = kept.shift()
        if (event) yield event
        else if (fault) throw fault
        else if (isOver) return
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    },
    [Symbol.dispose]: () => end(),
  }
}

async function subjectsOf(mesh: Mesh, { pattern, errors }: TailFilter): Promise<string[]> {
  if (pattern !== undefined && !/^[^\s.>]+(\.[^\s.>]+)*(\.>)?$|^>$/.test(pattern))
    throw new OperationsError(
      'OPERATIONS_INVALID_OPTIONS',
      `pattern ${JSON.stringify(pattern)} is none: tokens joined by dots, * for one, a final > for the rest, e.g. center.>`,
    )
  // What the failed attempts are of is in the records, not in their subjects.
  if (errors) return [`${FAILED}.>`]
  if (pattern !== undefined) return pattern.endsWith('>') ? [pattern] : [pattern, `${pattern}.>`]
  const streams = await meshStreams(mesh)
  const held = streams.filter(({ kind }) => kind === 'events' || kind === 'mesh')
  return held
    .flatMap(({ info }) => info.config.subjects.map((subject) => mesh.names.strip(subject)))
    .filter((subject) => !isMarker(subject))
}

/** Marks in a stream what a handler is done with, and is no event. */
const isMarker = (subject: string): boolean => subject.startsWith('_')

function tailEvent({ names }: Mesh, sensitivity: Sensitivity, { subject, headers, data }: Msg): TailEvent {
  const received = receivedHeaders(headers)
  const text = (name: string): string | undefined => (received[name] ? decodeAttribute(received[name]) : undefined)
  const type = text(HEADER.type)
  const { payload, withheld } = sensitivity.show({ type, subject: names.strip(subject), payload: data })
  const bytes = payload.subarray(0, LONGEST_SHOWN)
  return {
    at: new Date().toISOString(),
    subject: names.strip(subject),
    id: text(HEADER.id),
    type,
    key: text(HEADER.partitionKey),
    service: text(HEADER.source)?.replace(/^\//, ''),
    correlationId: text(HEADER.correlationId) ?? text(HEADER.id),
    traceId: /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(received[HEADER.traceparent] ?? '')?.[1],
    payloadBytes: data.length,
    payload: withheld === undefined ? textOf(bytes, payload.length > LONGEST_SHOWN) : undefined,
    withheld,
    failed: type === FAILED ? failedOf(data) : undefined,
  }
}

/** Cut between characters. */
function textOf(bytes: Uint8Array, isCut: boolean): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: isCut })
  } catch {
    return undefined
  }
}

function failedOf(data: Uint8Array): AttemptFailed | undefined {
  try {
    return JSON.parse(Buffer.from(data).toString()) as AttemptFailed
  } catch {
    return undefined
  }
}

function isWanted(event: TailEvent, { pattern, key, service, errors }: TailFilter): boolean {
  const { failed } = event
  if (isMarker(event.subject)) return false
  if (key !== undefined && key !== event.key && key !== failed?.key) return false
  if (service !== undefined && service !== (failed?.service ?? event.service)) return false
  if (!errors) return true
  return pattern === undefined || covers(pattern, failed?.type ?? '')
}
