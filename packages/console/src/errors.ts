/** Every error of the console, with what to do about it. A code is never reused. */
export const consoleErrors = {
  CONSOLE_INVALID_OPTIONS: 'correct the options named',
  CONSOLE_OPEN_ELSEWHERE: 'give a token file or an issuer of OpenID Connect, or listen on 127.0.0.1',
  CONSOLE_TOKENS_UNREADABLE: 'correct the lines of the token file that are named',
  CONSOLE_PAGE_MISSING: 'build the package, or run it from a clone whose dependencies are installed',
  CONSOLE_NOT_LISTENING: 'take another port',
  CONSOLE_FOREIGN_HOST: 'open the console under the address it said at start, or name its address with --origin',
  CONSOLE_FOREIGN_ORIGIN: 'act from the page of the console itself',
  CONSOLE_OIDC_AWAY: 'wait until the issuer answers, and see that the console can reach it',
  CONSOLE_OIDC_REFUSED: 'sign in again; where it goes on, the log of the console says what was wrong',
  CONSOLE_OIDC_NO_ROLE: 'have the issuer give you a value that makes you a viewer, operator or admin here',
  CONSOLE_SIGN_IN: 'sign in with a token, or send it as `Authorization: Bearer`',
  CONSOLE_ROLE_LACKING: 'ask somebody with that role, or have yours changed',
  CONSOLE_SENDING_OFF:
    'publish by a command (malha publish), or start a console that may send: CONSOLE_SEND_EVENTS=on, --send-events',
  CONSOLE_UNKNOWN_PATH: 'look at /api/openapi.json for what there is',
  CONSOLE_BAD_REQUEST: 'correct what is named',
  CONSOLE_TOO_MANY_TRIES: 'wait a minute',
  CONSOLE_MESH_AWAY: 'see that NATS runs and that this console may ask it',
  CONSOLE_NO_ARCHIVE: 'start the console with the address of the ClickHouse of the archive',
  CONSOLE_FAILED: 'look at what the console says on its terminal or in its log',
} as const

export type ConsoleErrorCode = keyof typeof consoleErrors

/** An error of the console: a stable code, then what happened, to what, and what to do next. Never carries a secret. */
export class ConsoleError extends Error {
  override readonly name = 'ConsoleError'
  readonly code: ConsoleErrorCode

  constructor(code: ConsoleErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options)
    this.code = code
  }
}
