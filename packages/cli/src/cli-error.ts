export type CliErrorCode =
  | 'CLI_INVALID_OPTION'
  | 'CLI_PORT_TAKEN'
  | 'CLI_DATA_IN_USE'
  | 'CLI_NOT_READY'
  | 'CLI_UNEXPECTED_ANSWER'

/** A fault that was foreseen: its message says what happened, to what, and what to do next, and needs no stack. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly code: CliErrorCode

  constructor(code: CliErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
