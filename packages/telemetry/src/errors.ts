/** Every error of this package. A code is never reused. Each has a section in docs/reference/errors.md. */
export const telemetryErrors = {
  TELEMETRY_INVALID_OPTIONS: 'refuse',
  TELEMETRY_LISTEN_FAILED: 'refuse',
} as const

export type TelemetryErrorCode = keyof typeof telemetryErrors

/** An error of this package: a stable code, then what happened, to what, and what to do next. Never carries a secret. */
export class TelemetryError extends Error {
  override readonly name: string = 'TelemetryError'
  readonly code: TelemetryErrorCode

  constructor(code: TelemetryErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options)
    this.code = code
  }
}
