import { context } from '@opentelemetry/api'
import { MeshError } from '../../errors.ts'
import { HEADER, headerBytes } from '../../message/headers.ts'
import { type MeshMetrics, publishedLabels } from '../../observe/mesh-metrics.ts'
import { traceHeaders } from '../../observe/spans.ts'
import { checkSize, eventHeaders, type Outgoing, type Published, publishEvent, type Queued } from '../publisher.ts'
import type { Heard, Line } from './line.ts'
import { placelessness } from './place.ts'
import type { Spool } from './spool.ts'

export type QueueingDeps = {
  spool: Spool
  line: () => Line | undefined
  heard: Heard
  metrics: MeshMetrics
}

/** How long the broker has for an event before the spool takes it, ms. An answer is a matter of milliseconds. */
const DIRECT_MS = 1000
/** How long it may take to say that a stream without an answer is not there, ms. */
const PLACE_MS = 400

/**
 * Stores an event, or queues it: at once while the broker is away, while others of its stream wait or while nobody leads
 * that, else after the first time-out.
 * @throws MeshError as `publishEvent`, and MESH_SPOOL_FULL | MESH_SPOOL_FAILED
 */
export async function publishOrQueue(deps: QueueingDeps, out: Outgoing): Promise<Published | Queued> {
  const line = deps.line()
  if (line === undefined || !line.connection.isUp() || deps.spool.holds(out.stream)) return await queue(deps, out)
  let sentAfter: number | undefined
  try {
    const published = await whileUp(line, async () => {
      const deadline = performance.now() + Math.min(out.timeoutMs, DIRECT_MS)
      // Before it is sent: an answer that comes later may be to an event behind it.
      const floor = await deps.heard.floor(line, out.stream, Math.min(out.timeoutMs, DIRECT_MS))
      if (!line.connection.isUp() || deps.spool.holds(out.stream)) return undefined
      sentAfter = floor
      const timeoutMs = Math.max(1, Math.ceil(deadline - performance.now()))
      return await publishEvent(line.publisher, { ...out, timeoutMs, hasty: true })
    })
    if (published === undefined) return await queue(deps, out)
    deps.heard.note(out.stream, published.seq)
    return published
  } catch (error) {
    if (!(await isOutage(line, out, error))) throw error
    return await queue(deps, out, sentAfter)
  }
}

/** The connection was lost while the answer was out. */
class BrokerAway extends Error {
  override readonly name = 'BrokerAway'
}

async function whileUp<T>({ connection }: Line, work: () => Promise<T>): Promise<T> {
  const { promise: away, reject } = Promise.withResolvers<never>()
  const stopListening = connection.listen({ down: () => reject(new BrokerAway()) })
  try {
    return await Promise.race([work(), away])
  } finally {
    stopListening()
  }
}

/** Whether it may be stored when the broker is back. A stream that does not exist is a mistake, and told as one. */
async function isOutage({ publisher }: Line, out: Outgoing, error: unknown): Promise<boolean> {
  if (error instanceof BrokerAway) return true
  if (!(error instanceof MeshError)) return false
  if (error.code === 'MESH_NO_STREAM') return (await placelessness(publisher.nc, out, PLACE_MS)) === 'passing'
  return error.code === 'MESH_PUBLISH_TIMEOUT' || error.code === 'MESH_CLOSED'
}

async function queue(deps: QueueingDeps, out: Outgoing, sentAfter?: number): Promise<Queued> {
  const started = performance.now()
  const { payload, ...rest } = out
  const trace = Object.fromEntries(traceHeaders(context.active(), out.traceparent))
  const nc = deps.line()?.publisher.nc
  if (nc) checkSize(nc, out, headerBytes([...eventHeaders(out, []), [HEADER.msgId, out.envelope.id]]))
  await deps.spool.add(
    out.stream,
    { v: 1, out: rest, trace, queuedAt: Date.now(), ...(sentAfter === undefined ? {} : { sentAfter }) },
    payload,
  )
  deps.metrics.published(publishedLabels(out.envelope.type).queued, performance.now() - started)
  return { id: out.envelope.id, stream: out.stream, queued: true, duplicate: false }
}
