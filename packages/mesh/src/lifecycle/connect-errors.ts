import { readFile } from 'node:fs/promises'
import {
  AuthorizationError,
  nkeys,
  PermissionViolationError,
  ProtocolError,
  TimeoutError,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import type { ResolvedMeshOptions } from './options.ts'
import { expiringFiles, fileFault, tlsFileFaults, userJwtIn } from './own-files.ts'
import { lookAtServer } from './server-look.ts'
import { tlsHint } from './tls-hint.ts'

/** The servers as a reader knows them, never with credentials. */
export function serverList(options: ResolvedMeshOptions): string {
  return options.servers.map((server) => server.replace(/^nats:\/\//, '')).join(', ')
}

/** The permission that was missing, wherever the client wrapped it. */
export function permissionViolation(error: unknown): PermissionViolationError | undefined {
  return chain(error).find((one) => one instanceof PermissionViolationError)
}

/** The server does not know, or does not know any more, who this is. For one whose JWT was revoked the client has no error of its own. */
export const isAuthRefusal = (error: Error): boolean =>
  error instanceof AuthorizationError ||
  error instanceof UserAuthenticationExpiredError ||
  (error instanceof ProtocolError && /authentication revoked/i.test(error.message))

/**
 * Turns what the client throws while connecting into what happened, where, and what to do. Where the client was not told, it
 * looks at what the servers show and at the files of this process.
 */
export async function explainConnectError(error: unknown, options: ResolvedMeshOptions): Promise<MeshError> {
  if (error instanceof MeshError) return error
  const where = serverList(options)
  const errors = chain(error)
  if (errors.some(isAuthRefusal))
    return new MeshError('MESH_AUTH_FAILED', `${where} refused ${await authHint(options)}`)
  const hint = (await tlsHintOf(errors, options)) ?? connectHint(errors)
  return new MeshError('MESH_CONNECT_FAILED', `no connection to ${where}: ${hint}`, { cause: error })
}

/** For how long a server may object to a client certificate that it was shown. */
const SETTLE_MS = 500

/** Says more than a code of OpenSSL does, and something where the client heard nothing. */
async function tlsHintOf(errors: readonly Error[], options: ResolvedMeshOptions): Promise<string | undefined> {
  const { servers, tls } = options
  const codes = errors.flatMap(({ code }: NodeJS.ErrnoException) => code ?? [])
  if (codes.some((code) => NO_SERVER.includes(code))) return undefined
  const faults = await tlsFileFaults(tls)
  if (faults.length > 0) return `the files for TLS cannot be used: ${faults.join('; ')}`
  const [looks, files] = await Promise.all([
    Promise.all(servers.map((server) => lookAtServer(server, tls, SETTLE_MS))),
    expiringFiles(options),
  ])
  const code = codes.find((one) => !/^ERR_(?:NATS|INVALID)/.test(one))
  for (const look of looks) {
    const hint = tlsHint(look, { tls, files, code, now: new Date() })
    if (hint !== undefined) return servers.length === 1 ? hint : `at ${look.address}: ${hint}`
  }
  return undefined
}

async function authHint({ auth, tls }: ResolvedMeshOptions): Promise<string> {
  if (auth.kind === 'password')
    return 'the user and password it was given. Check NATS_USER and NATS_PASSWORD against the server, and that the user still exists'
  if (auth.kind === 'token') return 'the token it was given. Check NATS_TOKEN against the server'
  if (auth.kind === 'creds') return `the credentials in ${auth.file}${await credsHint(auth.file)}`
  if (auth.kind === 'nkey')
    return `the nkey ${await publicKeyIn(auth.seedFile)} whose seed is in ${auth.seedFile}. Check that this public key is among the server's users, or put the seed of one that is into that file; ${READ}`
  if (tls?.certFile !== undefined)
    return `the client certificate in ${tls.certFile} as a user. Where the server maps certificates (verify_and_map), a name of it or its subject must be that of a user; else give credentials, too`
  return 'a connection without credentials. Give it a user and password, a token, a credentials file or an nkey seed file'
}

const READ = 'it is read at every try'

async function credsHint(file: string): Promise<string> {
  let creds: string
  try {
    creds = await readFile(file, 'utf8')
  } catch (error) {
    return `, as they were; now the file ${fileFault(error)}`
  }
  const user = userJwtIn(creds)
  if (user === undefined) return '. They may have been revoked, or belong to another server'
  const who = user.name === undefined ? 'They' : `Those of user ${JSON.stringify(user.name)}`
  if (user.endsAt && user.endsAt < new Date())
    return `: they ended at ${user.endsAt.toISOString()}. Issue new ones and put them into that file; ${READ}`
  return `. ${who} were issued by account ${user.account}: either they were revoked, or that account is not one of this server (another operator, or its resolver has not got it). Issue new ones and put them into that file; ${READ}`
}

async function publicKeyIn(seedFile: string): Promise<string> {
  try {
    const seed = (await readFile(seedFile, 'utf8')).trim()
    return nkeys.fromSeed(new TextEncoder().encode(seed)).getPublicKey()
  } catch {
    return ''
  }
}

/** Nobody is there to be looked at. */
const NO_SERVER: readonly string[] = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
]

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

function connectHint(errors: readonly Error[]): string {
  for (const error of errors) {
    const code = (error as NodeJS.ErrnoException).code
    const known = code === undefined ? undefined : BY_CODE[code]
    if (known !== undefined) return known
    if (code !== undefined && /^ERR_(SSL|OSSL|TLS)/.test(code))
      return `TLS failed (${code}). Do NATS_TLS_CA_FILE, NATS_TLS_CERT_FILE and NATS_TLS_KEY_FILE fit this server?`
    if (error instanceof TimeoutError)
      return 'no answer in two tries of 5 s each. Is a firewall in between, or is NATS_URL wrong? Or does TLS come first there (handshake_first)?'
    if (error.message.includes("does not support 'tls'"))
      return 'TLS was asked for, but the server has none. Use nats:// and no TLS files, or give the server a tls block'
    if (/unexpected response|undefined error|JSON/.test(error.message))
      return 'what answers there is no nats-server. Is the port right?'
  }
  return errors[0]?.message ?? 'the reason is not known'
}

function chain(error: unknown): Error[] {
  const errors: Error[] = []
  for (let one = error; one instanceof Error && errors.length < 8; one = one.cause) errors.push(one)
  return errors
}
