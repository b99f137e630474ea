/** What the mesh asks of a logger; pino's logger fits as it is. The first argument is data, the second a sentence. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Says nothing. The default, so that a library never writes to a user's terminal unasked. */
export const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }

/** A logger that adds `fields` to every line. */
export function withFields(logger: Logger, fields: object): Logger {
  const bind =
    (level: keyof Logger) =>
    (more: object, message: string): void =>
      logger[level]({ ...fields, ...more }, message)
  return { debug: bind('debug'), info: bind('info'), warn: bind('warn'), error: bind('error') }
}

function ignore(): void {}
