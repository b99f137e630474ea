import { Reject, RetryAfter } from '../errors.ts'

/** What matters of an HTTP response; fetch's `Response` fits, and so does undici's. */
export type ResponseLike = {
  status: number
  headers: { get(name: string): string | null } | Readonly<Record<string, string | string[] | undefined>>
  /** Named in the error, without its query. */
  url?: string
}

/** An answer that says the other side is in trouble. `code` is `HTTP_<status>`. */
export class ResponseError extends Error {
  override readonly name = 'ResponseError'
  readonly code: string
  readonly status: number

  constructor(status: number, detail: string) {
    super(detail)
    this.status = status
    this.code = `HTTP_${status}`
  }
}

/** 4xx that may pass by themselves: time-out, conflict, too early, too many. */
const PASSING = new Set([408, 409, 425, 429])

/**
 * The error to throw in a handler for a response that is no success: `RetryAfter` for 429 and 503 that name a time,
 * `Reject` for 4xx but 408, 409, 425 and 429, else a `ResponseError`, which is retried.
 */
export function responseError(response: ResponseLike, now: number = Date.now()): Reject | RetryAfter | ResponseError {
  const { status } = response
  const what = `${pathOf(response.url)} answered ${status}`
  const delayMs = status === 429 || status === 503 ? retryAfterMs(header(response, 'retry-after'), now) : undefined
  if (delayMs !== undefined) return new RetryAfter(delayMs, `${what} and asks to wait ${Math.ceil(delayMs / 1000)} s`)
  if (status >= 400 && status < 500 && !PASSING.has(status))
    return new Reject(`${what}: this request can never succeed`)
  return new ResponseError(status, what)
}

/** `Retry-After` is seconds or an HTTP date (RFC 9110, 10.2.3); at most a day is believed. */
function retryAfterMs(value: string | undefined, now: number): number | undefined {
  if (!value) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), 86_400_000)
}

function header({ headers }: ResponseLike, name: string): string | undefined {
  if (typeof headers.get === 'function') return headers.get(name) ?? undefined
  const value = (headers as Record<string, string | string[] | undefined>)[name]
  return Array.isArray(value) ? value[0] : value
}

function pathOf(url: string | undefined): string {
  if (!url || !URL.canParse(url)) return 'the other side'
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}
