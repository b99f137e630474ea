/** How a process proves to the server who it is. */
export type Auth =
  | { readonly kind: 'none' }
  | { readonly kind: 'creds'; readonly file: string }
  | { readonly kind: 'nkey'; readonly seedFile: string }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'password'; readonly user: string; readonly password: string }

export type ParsedServers = {
  /** `nats://host:port`, without credentials: safe to log. */
  servers: string[]
  /** What the addresses said of credentials; undefined when nothing. */
  auth: Auth | undefined
  /** Whether an address asked for TLS (`tls://`). */
  tls: boolean
  faults: string[]
}

/**
 * Takes server addresses apart, so that the credentials in `nats://user:password@host` never reach a log line. An
 * address is named by its number in faults, because one that cannot be parsed may hold a secret anywhere.
 */
export function parseServers(list: readonly string[], label: string): ParsedServers {
  const parsed: ParsedServers = { servers: [], auth: undefined, tls: false, faults: [] }
  if (list.length === 0) parsed.faults.push(`${label} is not set; give it the server's address, nats://127.0.0.1:4222`)
  for (const [index, address] of list.entries()) {
    const which = list.length === 1 ? label : `${label}, address ${index + 1} of ${list.length}`
    const fault = addServer(parsed, address)
    if (fault !== undefined) parsed.faults.push(`${which} ${fault}`)
  }
  return parsed
}

function addServer(parsed: ParsedServers, address: string): string | undefined {
  const scheme = /^([a-z]+):\/\//i.exec(address)?.[1]?.toLowerCase() ?? 'nats'
  if (scheme !== 'nats' && scheme !== 'tls') return 'must begin with nats:// or tls://'
  let url: URL
  let auth: Auth | undefined
  try {
    url = new URL(`nats://${address.replace(/^[a-z]+:\/\//i, '')}`)
    auth = authOf(decodeURIComponent(url.username), decodeURIComponent(url.password))
  } catch {
    return 'is no address; write nats://host:port (in a user or password, percent-encode @ : / ? # %)'
  }
  if (url.hostname === '' || !['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '')
    return 'must be nats://host:port and nothing after the port'
  if (auth !== undefined && parsed.auth !== undefined && JSON.stringify(auth) !== JSON.stringify(parsed.auth))
    return 'carries other credentials than the addresses before it; one connection has one identity'
  parsed.auth ??= auth
  parsed.tls ||= scheme === 'tls'
  parsed.servers.push(`nats://${url.hostname}:${url.port === '' ? '4222' : url.port}`)
  return undefined
}

/** NATS reads a user without a password as a token. */
function authOf(user: string, password: string): Auth | undefined {
  if (user === '') return undefined
  return password === '' ? { kind: 'token', token: user } : { kind: 'password', user, password }
}
