import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node'
import { faultsError, MeshError } from '../errors.ts'
import type { TlsFiles } from './options.ts'
import { fileFault, tlsFileFaults } from './own-files.ts'
import type { Auth } from './servers.ts'

const AGAIN_MS = 200

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
 * @throws MeshError MESH_INVALID_OPTIONS with every file that cannot be read, is no certificate or key, or does not fit
 */
export async function checkTlsFiles(tls: Readonly<TlsFiles> | undefined): Promise<void> {
  let faults = await tlsFileFaults(tls)
  if (faults.length === 0) return
  // Files that are being replaced may have been read on both sides of it.
  await setTimeout(AGAIN_MS)
  faults = await tlsFileFaults(tls)
  if (faults.length > 0) throw faultsError('MESH_INVALID_OPTIONS', 'TLS files', faults)
}
