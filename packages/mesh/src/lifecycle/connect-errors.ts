import {
  AuthorizationError,
  PermissionViolationError,
  TimeoutError,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import type { ResolvedMeshOptions } from './options.ts'

/** The servers as a reader knows them, never with credentials. */
export function serverList(options: ResolvedMeshOptions): string {
  return options.servers.map((server) => server.replace(/^nats:\/\//, '')).join(', ')
}

/** The permission that was missing, wherever the client wrapped it. */
export function permissionViolation(error: unknown): PermissionViolationError | undefined {
  return chain(error).find((one) => one instanceof PermissionViolationError)
}

/** Turns what the client throws while connecting into what happened, where, and what to do. */
export function explainConnectError(error: unknown, options: ResolvedMeshOptions): MeshError {
  const where = serverList(options)
  const errors = chain(error)
  if (errors.some((one) => one instanceof AuthorizationError || one instanceof UserAuthenticationExpiredError))
    return new MeshError('MESH_AUTH_FAILED', `${where} refused ${authHint(options)}`)
  return new MeshError('MESH_CONNECT_FAILED', `no connection to ${where}: ${connectHint(errors, options)}`, {
    cause: error,
  })
}

function authHint({ auth }: ResolvedMeshOptions): string {
  if (auth.kind === 'password')
    return 'the user and password it was given. Check NATS_USER and NATS_PASSWORD against the server, and that the user still exists'
  if (auth.kind === 'token') return 'the token it was given. Check NATS_TOKEN against the server'
  if (auth.kind === 'creds')
    return `the credentials in ${auth.file}. They may have expired or been revoked, or belong to another server`
  if (auth.kind === 'nkey')
    return `the nkey whose seed is in ${auth.seedFile}. Check that its public key is among the server's users`
  return 'a connection without credentials. Give it a user and password, a token, a credentials file or an nkey seed file'
}

/** Codes of Node's TLS and socket errors, each with what it means here. */
const BY_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there. Is nats-server running, and is NATS_URL right?',
  ENOTFOUND: 'the host name is not known. Is NATS_URL right?',
  EAI_AGAIN: 'the host name could not be looked up for now. Is DNS reachable?',
  ETIMEDOUT: 'no answer. Is a firewall in between, or is NATS_URL wrong?',
  EHOSTUNREACH: 'the host cannot be reached from here. Is NATS_URL right?',
  ENETUNREACH: 'the network cannot be reached from here. Is NATS_URL right?',
  ECONNRESET:
    'the server cut the connection. It may want a client certificate (NATS_TLS_CERT_FILE, NATS_TLS_KEY_FILE), or be no nats-server',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed. Give the authority that signed it as NATS_TLS_CA_FILE',
  SELF_SIGNED_CERT_IN_CHAIN:
    'its certificate is from an authority not known here. Give that authority as NATS_TLS_CA_FILE',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate is from an authority not known here. Give that authority as NATS_TLS_CA_FILE',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'its certificate is from an authority not known here. Give that authority as NATS_TLS_CA_FILE',
  CERT_SIGNATURE_FAILURE: 'its certificate was not signed by the authority in NATS_TLS_CA_FILE',
  CERT_HAS_EXPIRED: 'its certificate has expired. Renew it on the server',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host name. Connect by a name the certificate holds',
}

function connectHint(errors: readonly Error[], options: ResolvedMeshOptions): string {
  for (const error of errors) {
    const code = (error as NodeJS.ErrnoException).code
    const known = code === undefined ? undefined : BY_CODE[code]
    if (known !== undefined) return known
    if (code !== undefined && /^ERR_(SSL|OSSL|TLS)/.test(code))
      return `TLS failed (${code}). Do NATS_TLS_CA_FILE, NATS_TLS_CERT_FILE and NATS_TLS_KEY_FILE fit this server?`
    if (error instanceof TimeoutError) return timeoutHint(options)
    if (error.message.includes("does not support 'tls'"))
      return 'TLS was asked for, but the server has none. Use nats:// and no TLS files, or give the server a tls block'
    if (/unexpected response|undefined error|JSON/.test(error.message))
      return 'what answers there is no nats-server. Is the port right?'
  }
  return errors[0]?.message ?? 'the reason is not known'
}

/** A server that misses a client certificate says so only after the handshake, when the client has stopped listening. */
function timeoutHint({ tls }: ResolvedMeshOptions): string {
  const hint = 'no answer within 5 s. Is a firewall in between, or is NATS_URL wrong?'
  if (tls === undefined || tls.certFile !== undefined) return hint
  return `${hint} Or does the server want a client certificate (NATS_TLS_CERT_FILE, NATS_TLS_KEY_FILE)?`
}

function chain(error: unknown): Error[] {
  const errors: Error[] = []
  for (let one = error; one instanceof Error && errors.length < 8; one = one.cause) errors.push(one)
  return errors
}
