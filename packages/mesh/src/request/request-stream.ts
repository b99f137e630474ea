import { faultsError, MeshError } from '../errors.ts'
import { traceHeaders } from '../observe/spans.ts'
import { ask } from './ask.ts'
import type { AnyRequest } from './contract.ts'
import { PartReader } from './part-reader.ts'
import { decodeAnswer, replyPayload } from './payload.ts'
import { prepare, type Prepared, type RequestOptions } from './prepare.ts'
import { errorOf } from './read-answer.ts'
import { DEFAULT_IDLE_MS, DEFAULT_WINDOW, LEAST_IDLE_MS, MOST_IDLE_MS, MOST_WINDOW } from './reply-session.ts'
import { outcomeOf, type RequestDeps } from './request.ts'
import { failRequestSpan, requestSpan } from './spans.ts'
import { kindOf, REQUEST_HEADER } from './wire.ts'

export type RequestStreamOptions = RequestOptions & {
  /** How many parts may be on their way or wait here, untaken. @default 32 */
  window?: number
  /** After this much silence the responder counts as gone, ms; it says at least every third of it that it is there. @default 5000 */
  idleMs?: number
}

const TIMEOUT_MS = 60_000

/** Asks, and gives the parts of the answer. See `Mesh.requestStream`. */
export async function* requestStream(
  deps: RequestDeps,
  contract: AnyRequest,
  options: RequestStreamOptions & { data: unknown },
): AsyncGenerator<unknown, void> {
  const { window, idleMs } = checked(contract, options)
  const prepared = await prepare(deps, contract, { defaultTimeoutMs: TIMEOUT_MS, ...options })
  const entry = deps.inFlight.enter(contract.type)
  const { span, context } = requestSpan(prepared.envelope, prepared.subject)
  const started = performance.now()
  const signal = entry.signal(options.signal)
  const { timeoutMs } = prepared
  const onEnd = (): void => entry[Symbol.dispose]()
  const reader = new PartReader(deps, { type: contract.type, window, idleMs, timeoutMs, signal, onEnd })
  let outcome = 'cancelled'
  try {
    const headers = [
      ...traceHeaders(context),
      [REQUEST_HEADER.window, String(window)] as const,
      [REQUEST_HEADER.idle, String(idleMs)] as const,
    ]
    await begin({ ...deps, inbox: reader }, contract, { prepared, options, headers, signal, idleMs })
    for (let part = await reader.next(); part; part = await reader.next())
      yield await (kindOf(part) === 'error'
        ? Promise.reject(await errorOf(contract, part))
        : decodeAnswer(replyPayload(contract), part))
    outcome = 'ok'
  } catch (error) {
    outcome = outcomeOf(error)
    failRequestSpan(span, error)
    throw error
  } finally {
    reader.close()
    span.end()
    deps.metrics.requested(contract.type, outcome, performance.now() - started, span.spanContext().traceId)
  }
}

type BeginParts = {
  prepared: Prepared
  options: RequestStreamOptions
  headers: Prepared['headers']
  signal: AbortSignal
  idleMs: number
}

/** Sends the request and waits for the first sign of a responder. Whatever it says goes to the reader. */
async function begin(
  deps: Parameters<typeof ask>[0],
  contract: AnyRequest,
  { prepared, options, headers, signal, idleMs }: BeginParts,
): Promise<void> {
  const first = await ask(deps, {
    type: contract.type,
    subject: prepared.subject,
    payload: prepared.payload,
    headers: [...prepared.headers, ...headers],
    timeoutMs: prepared.timeoutMs,
    idempotent: false,
    waitForResponder: options.waitForResponder ?? false,
    signal,
    silenceMs: idleMs,
  })
  const kind = kindOf(first)
  if (kind === 'error') throw await errorOf(contract, first)
  if (kind === 'value')
    throw new MeshError('MESH_REPLY_BROKEN', `${contract.type} is answered once, not as a stream; its contracts differ`)
}

function checked(contract: AnyRequest, options: RequestStreamOptions): { window: number; idleMs: number } {
  const { window = DEFAULT_WINDOW, idleMs = DEFAULT_IDLE_MS } = options
  const faults: string[] = []
  if (!(Number.isInteger(window) && window >= 1 && window <= MOST_WINDOW))
    faults.push(`window is ${window}; 1 to 10 000`)
  if (!(Number.isInteger(idleMs) && idleMs >= LEAST_IDLE_MS && idleMs <= MOST_IDLE_MS))
    faults.push(`idleMs is ${idleMs}; ${LEAST_IDLE_MS} ms to 10 minutes`)
  if (faults.length > 0) throw faultsError('MESH_INVALID_OPTIONS', `request ${contract.type}`, faults)
  return { window, idleMs }
}
