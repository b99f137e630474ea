import { readFileSync } from 'node:fs'
import { access, constants } from 'node:fs/promises'
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node'
import { faultsError, MeshError } from '../errors.ts'
import type { TlsFiles } from './options.ts'
import type { Auth } from './servers.ts'

/**
 * What the client asks at every connect and reconnect.
 * @throws MeshError MESH_INVALID_OPTIONS when a file cannot be read or holds no credentials
 */
export function authenticatorOf(auth: Auth): Authenticator | undefined {
  if (auth.kind === 'token') return tokenAuthenticator(auth.token)
  if (auth.kind === 'password') return usernamePasswordAuthenticator(auth.user, auth.password)
  if (auth.kind === 'creds') return fromFile(auth.file, 'credentials file', credsAuthenticator)
  if (auth.kind === 'nkey') return fromFile(auth.seedFile, 'nkey seed file', nkeyAuthenticator)
  return undefined
}

/** Reads the file again at every connect, so that rotated credentials are taken up; keeps the last good ones meanwhile. */
function fromFile(file: string, what: string, make: (bytes: Uint8Array) => Authenticator): Authenticator {
  const read = (): Authenticator => {
    const trimmed = readFileSync(file, 'utf8').trim()
    const authenticator = make(new TextEncoder().encode(what === 'nkey seed file' ? trimmed : `${trimmed}\n`))
    // Parsing happens on use: a malformed file must show here, not inside the client's reconnect.
    authenticator('probe')
    return authenticator
  }
  let good: Authenticator
  try {
    good = read()
  } catch (error) {
    throw new MeshError('MESH_INVALID_OPTIONS', `the ${what} ${file} ${fileFault(error)}`)
  }
  return (nonce) => {
    try {
      good = read()
    } catch {
      // Half written, or gone for a moment: the last good ones are tried.
    }
    return good(nonce)
  }
}

/**
 * The client reads TLS files while connecting and says only that connecting failed; this says which file and why.
 * @throws MeshError MESH_INVALID_OPTIONS with every file that cannot be read
 */
export async function checkTlsFiles(tls: Readonly<TlsFiles> | undefined): Promise<void> {
  const faults: string[] = []
  for (const file of [tls?.caFile, tls?.certFile, tls?.keyFile]) {
    if (file === undefined) continue
    await access(file, constants.R_OK).catch((error: unknown) => faults.push(`${file} ${fileFault(error)}`))
  }
  if (faults.length > 0) throw faultsError('MESH_INVALID_OPTIONS', 'TLS files', faults)
}

/** Never repeats what the file holds, so the error behind it is not passed on either. */
function fileFault(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOENT') return 'does not exist'
  if (code === 'EACCES') return 'may not be read by this user'
  if (code === 'EISDIR') return 'is a folder'
  return code !== undefined && /^E[A-Z]+$/.test(code)
    ? `cannot be read (${code})`
    : 'does not hold what its name says; create it again'
}
