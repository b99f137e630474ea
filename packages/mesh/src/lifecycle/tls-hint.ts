/** What is wrong with a TLS connection, from what the server shows and what the files of this process hold. */
import { isIP } from 'node:net'
import type { X509Certificate } from 'node:crypto'
import type { TlsFiles } from './options.ts'
import type { Expiring } from './own-files.ts'
import type { ServerLook } from './server-look.ts'

type TlsFacts = {
  /** Undefined: TLS when the server offers it, with the system's authorities. */
  readonly tls: Readonly<TlsFiles> | undefined
  readonly files: readonly Expiring[]
  /** Of Node or OpenSSL, from the client; undefined when it heard none. */
  readonly code: string | undefined
  readonly now: Date
}

/** Pure. What happened and what to do, beginning with `its` or `it`; undefined when nothing is seen to be wrong. */
export function tlsHint(look: ServerLook, facts: TlsFacts): string | undefined {
  if (look.tls === undefined) return undefined
  if (!look.tls.isOffered)
    return (
      facts.tls &&
      'TLS was asked for, but the server has none. Use nats:// and no TLS files, or give the server a tls block'
    )
  return hintOfServer(look, facts) ?? hintOfClient(look, facts)
}

/** What the client has against the server's certificate. */
function hintOfServer({ certificate, host }: ServerLook, { tls, code, now }: TlsFacts): string | undefined {
  if (certificate === undefined) return undefined
  const { validFromDate: begin, validToDate: end } = certificate
  if (end < now)
    return `its certificate ended at ${end.toISOString()} (${namesOf(certificate)}). Put a renewed one into the server’s files, and have it read them: nats-server --signal reload`
  if (begin > now)
    return `its certificate begins at ${begin.toISOString()} only. Are the clocks of this machine and of its authority right?`
  if (isUnknownAuthority(code))
    return `its certificate is signed by ${issuerOf(certificate)}, ${
      tls?.caFile === undefined
        ? 'an authority not known here. Give that authority’s certificate as NATS_TLS_CA_FILE'
        : `which is not among the authorities in ${tls.caFile}. Add that authority’s certificate to the file; while one takes the place of another, both are in it`
    }`
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' && !isFor(certificate, host))
    return `its certificate is for another host name: for ${namesOf(certificate)}, not for ${host}. Connect by one of these (NATS_URL), or have a certificate made for ${host}`
  return undefined
}

/** What the server has against the client's. It says so after the handshake, when the client has stopped listening. */
function hintOfClient({ tls: server, alert }: ServerLook, { tls, files, now }: TlsFacts): string | undefined {
  if (!server?.wantsCertificate) return undefined
  if (tls?.certFile === undefined)
    return 'it wants a client certificate. Give one that its authority signed as NATS_TLS_CERT_FILE, with its key as NATS_TLS_KEY_FILE'
  const own = files.find(({ kind }) => kind === 'client_certificate')
  if (own && own.endsAt < now)
    return `it wants a client certificate, and the one in ${tls.certFile} ended at ${own.endsAt.toISOString()}. Put a renewed one there, and its key into ${tls.keyFile}; both are read at the next try`
  if (alert !== undefined && /ALERT/.test(alert))
    return `it refused the client certificate in ${tls.certFile} (${alert}). Have it signed by an authority that the server trusts (ca_file of its tls block), for the use "client auth"`
  return undefined
}

const UNKNOWN_AUTHORITY: readonly string[] = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
]

const isUnknownAuthority = (code: string | undefined): boolean => code !== undefined && UNKNOWN_AUTHORITY.includes(code)

const isFor = (certificate: X509Certificate, host: string): boolean =>
  (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined

/** As the server says it, so for one line and with a bound. */
const inOneLine = (text: string): string => text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 200)

const namesOf = ({ subjectAltName, subject }: X509Certificate): string => inOneLine(subjectAltName ?? subject ?? '')
const issuerOf = ({ issuer }: X509Certificate): string => inOneLine(issuer)
