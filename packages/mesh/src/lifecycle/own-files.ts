/** What a process shows of itself is in files that others replace. Read at every connect; what is said of them holds no secret. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { ResolvedMeshOptions, TlsFiles } from './options.ts'

/** What ends: of a server its certificate, of this process its certificate, the authorities it trusts, its credentials. */
export type ExpiringKind = 'server_certificate' | 'client_certificate' | 'authority' | 'credentials'

/** Something by which this process and its servers know each other, for as long as it is valid. */
export type Expiring = {
  readonly kind: ExpiringKind
  /** Its file; of a server its address. */
  readonly of: string
  readonly endsAt: Date
}

/** A user as his JWT describes him. Nothing of it is secret. */
type UserJwt = {
  readonly name: string | undefined
  /** Public key of the account. */
  readonly account: string
  readonly endsAt: Date | undefined
}

/** Certificates of a PEM file in their order. @throws Error when there is none, or one of them is malformed */
function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/^-----BEGIN CERTIFICATE-----\s*$[\s\S]+?^-----END CERTIFICATE-----\s*$/gm)
  if (!blocks) throw new Error('holds no certificate (-----BEGIN CERTIFICATE-----)')
  return blocks.map((block) => new X509Certificate(block))
}

/** The JWT of a credentials file; undefined where there is none that can be read. Its signature is the server's to check. */
export function userJwtIn(creds: string): UserJwt | undefined {
  const payload = /^[\w-]+\.([\w-]+)\.[\w-]+$/m.exec(creds)?.[1]
  if (payload === undefined) return undefined
  try {
    const { name, iss, exp, nats } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as {
      name?: unknown
      iss?: unknown
      exp?: unknown
      nats?: { issuer_account?: unknown }
    }
    const account = nats?.issuer_account ?? iss
    if (typeof account !== 'string') return undefined
    return {
      name: typeof name === 'string' ? name : undefined,
      account,
      endsAt: typeof exp === 'number' && exp > 0 ? new Date(exp * 1000) : undefined,
    }
  } catch {
    return undefined
  }
}

/** Faults of TLS files, each with its file: what cannot be read, is no certificate, or does not fit. */
export async function tlsFileFaults(tls: Readonly<TlsFiles> | undefined): Promise<string[]> {
  const faults: string[] = []
  const read = async <T>(file: string | undefined, parse: (pem: string) => T): Promise<T | undefined> => {
    if (file === undefined) return undefined
    try {
      return parse(await readFile(file, 'utf8'))
    } catch (error) {
      faults.push(`${file} ${fileFault(error)}`)
      return undefined
    }
  }
  const [, own, key] = [
    await read(tls?.caFile, certificatesIn),
    await read(tls?.certFile, certificatesIn),
    await read(tls?.keyFile, keyIn),
  ]
  if (own && key && !own[0]!.checkPrivateKey(key))
    faults.push(`${tls?.keyFile} is not the key of the certificate in ${tls?.certFile}; put both there together`)
  return faults
}

function keyIn(pem: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(pem)
  } catch {
    // What OpenSSL says is of no help, and is of a secret.
    throw new Error('holds no private key that can be read without a passphrase (-----BEGIN PRIVATE KEY-----)')
  }
}

/** What of these files ends, and when. What cannot be read, or does not end, is left out. */
export async function expiringFiles({ tls, auth }: Pick<ResolvedMeshOptions, 'tls' | 'auth'>): Promise<Expiring[]> {
  const read = async (kind: ExpiringKind, of: string | undefined, endOf: (text: string) => Date | undefined) => {
    if (of === undefined) return []
    const endsAt = await readFile(of, 'utf8')
      .then(endOf)
      .catch(() => undefined)
    return endsAt === undefined ? [] : [{ kind, of, endsAt }]
  }
  const found = await Promise.all([
    // The first is its own; those that follow are renewed by their authority.
    read('client_certificate', tls?.certFile, (pem) => certificatesIn(pem)[0]!.validToDate),
    // While one takes the place of another, both are there: the last to end is what is trusted longest.
    read('authority', tls?.caFile, (pem) => latest(certificatesIn(pem).map(({ validToDate }) => validToDate))),
    read('credentials', auth.kind === 'creds' ? auth.file : undefined, (creds) => userJwtIn(creds)?.endsAt),
  ])
  return found.flat()
}

const latest = (dates: readonly Date[]): Date => new Date(Math.max(...dates.map(Number)))

/** Why a file is of no use. Never repeats what it holds, so an error that may is not passed on. */
export function fileFault(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'does not exist'
  if (code === 'EACCES') return 'may not be read by this user'
  if (code === 'EISDIR') return 'is a folder'
  if (code !== undefined && /^E[A-Z]+$/.test(code)) return `cannot be read (${code})`
  return message?.startsWith('holds no ') ? message : 'does not hold what its name says; create it again'
}
