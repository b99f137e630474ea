export type HttpAddress = { readonly host: string; readonly port: number }

/**
 * `HTTP_HOST` (127.0.0.1) and `HTTP_PORT` (8080; 0 takes a free one).
 * @throws Error naming the variable
 */
export function httpAddress(env: Readonly<Record<string, string | undefined>>): HttpAddress {
  const port = Number(env['HTTP_PORT'] || '8080')
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error('HTTP_PORT is not a port, 0 (any free one) to 65535')
  return { host: env['HTTP_HOST'] || '127.0.0.1', port }
}
