import { MeshError } from '../errors.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'
import { traceHeaders } from '../observe/spans.ts'
import { ask, type AskDeps } from './ask.ts'
import type { AnyRequest } from './contract.ts'
import { type InFlight } from './in-flight.ts'
import { prepare, type PrepareDeps, type RequestOptions } from './prepare.ts'
import { readAnswer } from './read-answer.ts'
import { ReplyError } from './reply-error.ts'
import { failRequestSpan, requestSpan } from './spans.ts'

export type RequestDeps = PrepareDeps & AskDeps & { metrics: MeshMetrics; inFlight: InFlight }

const TIMEOUT_MS = 5000

/** Asks, waits, and gives the answer. See `Mesh.request`. */
export async function sendRequest(
  deps: RequestDeps,
  contract: AnyRequest,
  options: RequestOptions & { data: unknown },
): Promise<unknown> {
  const prepared = await prepare(deps, contract, { defaultTimeoutMs: TIMEOUT_MS, ...options })
  const { envelope, subject, payload, headers, timeoutMs } = prepared
  using entry = deps.inFlight.enter(contract.type)
  const { span, context } = requestSpan(envelope, subject)
  const started = performance.now()
  const { traceId } = span.spanContext()
  try {
    const answer = await ask(deps, {
      type: contract.type,
      subject,
      payload,
      headers: [...headers, ...traceHeaders(context)],
      timeoutMs,
      idempotent: contract.idempotent,
      waitForResponder: options.waitForResponder ?? false,
      signal: entry.signal(options.signal),
    })
    const data = await readAnswer(contract, answer)
    deps.metrics.requested(contract.type, 'ok', performance.now() - started, traceId)
    return data
  } catch (error) {
    failRequestSpan(span, error)
    deps.metrics.requested(contract.type, outcomeOf(error), performance.now() - started, traceId)
    throw error
  } finally {
    span.end()
  }
}

/** For metrics: few values. */
export function outcomeOf(error: unknown): string {
  if (error instanceof ReplyError) return 'refused'
  if (!(error instanceof MeshError)) return 'cancelled'
  if (error.code === 'MESH_NO_RESPONDER') return 'no-responder'
  if (error.code === 'MESH_REQUEST_TIMEOUT') return 'timeout'
  return error.code === 'MESH_BUSY' ? 'busy' : 'failed'
}
