/** What a nats-server shows to whoever opens a connection, before any credentials. */
import type { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { hostOf } from './host-of.ts'
import type { TlsFiles } from './options.ts'
import type { Expiring } from './own-files.ts'

const LOOK_MS = 2000

export type ServerLook = {
  /** `host:port` */
  readonly address: string
  readonly host: string
  /** Whether it speaks TLS, and whether it wants a certificate of its client; undefined when it did not greet as nats-servers do. */
  readonly tls: { readonly isOffered: boolean; readonly wantsCertificate: boolean } | undefined
  /** Its own, whether or not it is trusted. */
  readonly certificate: X509Certificate | undefined
  /** What the server said of the certificate it was shown: a code of OpenSSL. */
  readonly alert: string | undefined
}

/**
 * Never throws.
 * @param settleMs For how long a server may object to the client's certificate: with TLS 1.3 it does after the handshake.
 */
export async function lookAtServer(
  server: string,
  tls: Readonly<TlsFiles> | undefined,
  settleMs: number,
): Promise<ServerLook> {
  const url = `nats://${server.replace(/^[a-z]+:\/\//i, '')}`
  const { hostname, port } = new URL(url)
  const host = hostOf(url)
  const address = `${hostname}:${port || 4222}`
  const socket = connect({ host, port: Number(port || 4222) })
  try {
    const info = await greeting(socket)
    const isOffered = info?.tls_required === true || info?.tls_available === true
    const shown = isOffered ? await shakeHands(socket, { host, tls, settleMs }) : undefined
    return {
      address,
      host,
      tls: info && { isOffered, wantsCertificate: info.tls_verify === true },
      certificate: shown?.certificate,
      alert: shown?.alert,
    }
  } finally {
    socket.destroy()
  }
}

/** When the certificates of servers end; of those that show one. */
export async function certificatesOf(
  servers: readonly string[],
  tls: Readonly<TlsFiles> | undefined,
): Promise<Expiring[]> {
  const looks = await Promise.all(servers.map((server) => lookAtServer(server, tls, 0)))
  return looks.flatMap(({ address, certificate }) =>
    certificate ? [{ kind: 'server_certificate', of: address, endsAt: certificate.validToDate }] : [],
  )
}

type Info = { tls_required?: boolean; tls_available?: boolean; tls_verify?: boolean }

/** Its first line, `INFO {…}`. */
async function greeting(socket: Socket): Promise<Info | undefined> {
  const { promise, resolve } = Promise.withResolvers<Info | undefined>()
  let text = ''
  const onData = (chunk: Buffer): void => {
    text += chunk.toString('latin1')
    if (text.includes('\r\n') || text.length > 64 * 1024) resolve(infoIn(text))
  }
  const timer = setTimeout(() => resolve(undefined), LOOK_MS)
  socket.on('data', onData).on('error', () => resolve(undefined))
  socket.on('close', () => resolve(undefined))
  const info = await promise
  clearTimeout(timer)
  socket.off('data', onData)
  return info
}

function infoIn(text: string): Info | undefined {
  try {
    const line = /^INFO (\{.*\})\s*\r\n/.exec(text)?.[1]
    return line === undefined ? undefined : (JSON.parse(line) as Info)
  } catch {
    return undefined
  }
}

type Shown = { certificate?: X509Certificate; alert?: string }

async function shakeHands(
  socket: Socket,
  { host, tls, settleMs }: { host: string; tls: Readonly<TlsFiles> | undefined; settleMs: number },
): Promise<Shown> {
  const read = (file: string | undefined): Promise<Buffer | undefined> =>
    file === undefined ? Promise.resolve(undefined) : readFile(file).catch(() => undefined)
  const [cert, key] = await Promise.all([read(tls?.certFile), read(tls?.keyFile)])
  const shown: Shown = {}
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const options: ConnectionOptions = {
    socket,
    // Looked at, not trusted: nothing is sent.
    rejectUnauthorized: false,
    ...(isIP(host) === 0 && { servername: host }),
    ...(cert && key && { cert, key }),
  }
  const timer = setTimeout(resolve, LOOK_MS)
  try {
    const secure = connectTls(options, () => {
      const certificate = secure.getPeerX509Certificate()
      if (certificate) shown.certificate = certificate
      setTimeout(resolve, settleMs).unref()
    })
    secure.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== undefined) shown.alert = error.code
      resolve()
    })
    secure.on('close', () => resolve())
    // Without a reader an alert is never seen.
    secure.resume()
    await over
    secure.destroy()
  } catch {
    // Key and certificate do not fit, which is said of the files.
  } finally {
    clearTimeout(timer)
  }
  return shown
}
