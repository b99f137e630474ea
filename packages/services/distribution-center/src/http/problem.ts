import type { ProblemBody } from './schemas.ts'

/** Every kind of problem the API answers with. The type's last part is stable: clients may switch on it. */
export const problems = {
  'malformed-body': { status: 400, title: 'The body is not valid JSON' },
  'invalid-request': { status: 400, title: 'The request has faults outside its body' },
  'unknown-center': { status: 404, title: 'No such centre' },
  'unknown-path': { status: 404, title: 'No such path' },
  'method-not-allowed': { status: 405, title: 'This path does not take this method' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body is not JSON' },
  'invalid-body': { status: 422, title: 'The body does not describe a centre' },
  'idempotency-conflict': { status: 422, title: 'This idempotency key belongs to another request' },
  'headers-too-large': { status: 431, title: 'The headers are too large' },
  internal: { status: 500, title: 'The service failed' },
  unavailable: { status: 503, title: 'The service cannot take this now' },
} as const satisfies Record<string, { status: number; title: string }>

export type ProblemKind = keyof typeof problems
export type Fault = NonNullable<ProblemBody['errors']>[number]

/** An answer that is a problem (RFC 9457). `detail` says what happened and what to do next; no internals. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly kind: ProblemKind
  readonly faults: readonly Fault[]
  readonly headers: Readonly<Record<string, string>>

  constructor(
    kind: ProblemKind,
    detail: string,
    options: ErrorOptions & { faults?: readonly Fault[]; headers?: Record<string, string> } = {},
  ) {
    super(detail, options)
    this.kind = kind
    this.faults = options.faults ?? []
    this.headers = options.headers ?? {}
  }

  get status(): number {
    return problems[this.kind].status
  }
}

/** The answer's body. */
export function problemBody(problem: Problem, traceId?: string): ProblemBody {
  const { status, title } = problems[problem.kind]
  return {
    type: `urn:malha:problem:${problem.kind}`,
    title,
    status,
    detail: problem.message,
    ...(problem.faults.length > 0 && { errors: [...problem.faults] }),
    ...(traceId !== undefined && { traceId }),
  }
}

const RETRY_AFTER_S = 1

/** The broker is away or slow. The caller repeats the request; with its idempotency key nothing is done twice. */
export function unavailable(why: string, cause?: unknown): Problem {
  const detail = `${why}. Send the request again after ${RETRY_AFTER_S} s, a POST with the same Idempotency-Key: it is done once.`
  return new Problem('unavailable', detail, { cause, headers: { 'retry-after': String(RETRY_AFTER_S) } })
}

/** Any error as a problem. One that is not foreseen becomes `internal`, and says nothing of itself. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const known = fastifyProblems[codeOf(error)]
  if (known) return new Problem(known[0], known[1], { cause: error })
  return new Problem('internal', 'Something failed that should not have. The trace id finds it in the logs.', {
    cause: error,
  })
}

/** Fastify's own errors (https://fastify.dev/docs/latest/Reference/Errors) that a client can cause. */
const fastifyProblems: Readonly<Record<string, readonly [ProblemKind, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['body-too-large', 'A body has at most 65536 bytes. Send less.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported-media-type', 'Send the body as application/json.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['malformed-body', 'The body is not as long as its Content-Length says.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['malformed-body', 'The body is empty. Send a JSON object.'],
  FST_ERR_BAD_URL: ['unknown-path', 'The path is not validly encoded.'],
  FST_ERR_MAX_PARAM_LENGTH: ['unknown-path', 'A part of the path is too long.'],
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
}
