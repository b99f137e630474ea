/** Every error of the stack. A code is never reused. */
export const stackErrorCodes = [
  'STACK_PORT_TAKEN',
  'STACK_DIR_IN_USE',
  'STACK_NO_BINARY',
  'STACK_NOT_READY',
  'STACK_EXITED',
] as const

export type StackErrorCode = (typeof stackErrorCodes)[number]

/** A part of the stack could not be started: a stable code, then what happened, to what, and what to do next. */
export class StackError extends Error {
  override readonly name = 'StackError'
  readonly code: StackErrorCode
  /** The port in question, with `STACK_PORT_TAKEN`. */
  readonly port: number | undefined

  constructor(code: StackErrorCode, detail: string, options?: ErrorOptions & { port?: number }) {
    super(`${code}: ${detail}`, options)
    this.code = code
    this.port = options?.port
  }
}

/** `flag` is the option or variable that moves it, as the user writes it. */
export function portTaken(port: number, what: string, flag: string): StackError {
  return new StackError(
    'STACK_PORT_TAKEN',
    `port ${port} of 127.0.0.1, wanted for ${what}, is taken by another process: end that one, or choose another port with ${flag}`,
    { port },
  )
}
