import { encodeAttribute, responseError } from '@malha/mesh'
import { Pool } from 'undici'
import type { z } from 'zod'
import { PartnerError } from './errors.ts'

export type PartnerClientOptions = {
  /** Named in errors. */
  partner: string
  /** Where its API is; may have a path, e.g. `https://partner.example/v2`. */
  url: string
  /** Connections kept at most, thus calls at once. @default 16 */
  connections?: number
  /** For a connection to be made, ms. @default 2 000 */
  connectTimeoutMs?: number
  /** For the whole call, ms. @default 10 000 */
  timeoutMs?: number
}

export type PartnerCall<Answer> = {
  /** Below the partner's URL, e.g. `/providers`. */
  path: string
  body: object
  /** The same for every attempt of the same thing: the partner does it once. */
  idempotencyKey: string
  /** What an answer of use looks like. */
  answer: z.ZodType<Answer>
  /** Gives up the call. */
  signal: AbortSignal
}

/** The HTTP API of one partner, over kept connections. */
export interface PartnerClient extends AsyncDisposable {
  /**
   * One attempt.
   * @throws PartnerError when no usable answer came
   * @throws Reject | RetryAfter | ResponseError for an answer that is no 2xx, as `responseError` of the mesh decides
   */
  post<Answer>(call: PartnerCall<Answer>): Promise<Answer>
}

/** No answer of ours is longer; a page of HTML from some proxy may be. */
const MAX_ANSWER_BYTES = 64 * 1024
const EXCERPT_CHARACTERS = 300

/** Opens no connection before the first call. `undici`'s own requests are what its OpenTelemetry instrumentation traces. */
export function partnerClient(options: PartnerClientOptions): PartnerClient {
  const { partner, url, connections = 16, connectTimeoutMs = 2_000, timeoutMs = 10_000 } = options
  const { origin, pathname } = new URL(url)
  const base = pathname.replace(/\/+$/, '')
  const pool = new Pool(origin, {
    connections,
    connect: { timeout: connectTimeoutMs },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: MAX_ANSWER_BYTES,
  })
  return {
    async post(call) {
      const path = base + call.path
      const asked = { what: `${partner}: POST ${origin}${path}`, url: origin + path }
      const told = await exchange(pool, { ...call, path }, { what: asked.what, timeoutMs })
      return readAnswer(call.answer, { ...asked, ...told })
    },
    [Symbol.asyncDispose]: () => pool.destroy(),
  }
}

type Told = { status: number; headers: Record<string, string | string[] | undefined>; text: string }

/** @throws PartnerError, or the reason of `call.signal` */
async function exchange(
  pool: Pool,
  call: PartnerCall<unknown>,
  { what, timeoutMs }: { what: string; timeoutMs: number },
): Promise<Told> {
  const late = AbortSignal.timeout(timeoutMs)
  try {
    const { statusCode, headers, body } = await pool.request({
      method: 'POST',
      path: call.path,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        // An id may hold anything, a header may not.
        'idempotency-key': encodeAttribute(call.idempotencyKey),
      },
      body: JSON.stringify(call.body),
      signal: AbortSignal.any([call.signal, late]),
    })
    // Read to the end whatever the status: an unread body keeps its connection busy. Of a refusal the status is enough.
    const text = isSuccess(statusCode) ? await body.text() : await body.text().catch(() => '')
    return { status: statusCode, headers, text }
  } catch (cause) {
    call.signal.throwIfAborted()
    if (late.aborted) throw new PartnerError('PARTNER_TIMEOUT', `${what}: no answer within ${timeoutMs} ms`)
    throw new PartnerError('PARTNER_UNREACHABLE', `${what}: no answer`, { cause })
  }
}

function readAnswer<Answer>(schema: z.ZodType<Answer>, told: Told & { what: string; url: string }): Answer {
  const { status, headers, text, what, url } = told
  if (!isSuccess(status)) {
    const error = responseError({ status, headers, url })
    // The mesh shows the causes of an error: only the partner can say why it refused.
    if (text !== '') error.cause = new Error(excerpt(text))
    throw error
  }
  const read = schema.safeParse(parse(text))
  if (read.success) return read.data
  const faults = read.error.issues.map((issue) => `${issue.path.join('.') || 'the body'}: ${issue.message}`).join('; ')
  throw new PartnerError('PARTNER_BAD_ANSWER', `${what}: answered ${status}, but not as agreed: ${faults}`)
}

const isSuccess = (status: number): boolean => status >= 200 && status < 300

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** One line of at most 300 characters. */
function excerpt(text: string): string {
  return text
    .slice(0, EXCERPT_CHARACTERS)
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim()
}
