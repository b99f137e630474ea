/**
 * What can go wrong in a call to a partner beside an answer that says so. Each is retried.
 * `PARTNER_UNREACHABLE`: no answer came; the cause has the socket's error. `PARTNER_TIMEOUT`: none came in time.
 * `PARTNER_BAD_ANSWER`: it said it worked, in words that are of no use.
 */
export type PartnerErrorCode = 'PARTNER_UNREACHABLE' | 'PARTNER_TIMEOUT' | 'PARTNER_BAD_ANSWER'

/** A call to a partner that failed and may succeed later. */
export class PartnerError extends Error {
  override readonly name = 'PartnerError'
  readonly code: string

  constructor(code: PartnerErrorCode, detail: string, options?: ErrorOptions) {
    super(detail, options)
    this.code = codeOfCause(options?.cause) ?? code
  }
}

/** What the socket says is more telling than that there was an error: `ECONNREFUSED` opens a breaker at once. */
function codeOfCause(cause: unknown): string | undefined {
  const code = (cause as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
