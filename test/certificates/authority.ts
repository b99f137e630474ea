import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { type CertificateExtension, generate } from 'selfsigned'

const DAY_MS = 86_400_000

export type CertificateOptions = {
  /** Hosts and addresses. @default 127.0.0.1 and localhost */
  names?: readonly string[]
  /** @default for servers and for clients */
  use?: 'server' | 'client'
  /** From now; before it where negative. @default 1 */
  days?: number
}

/** As PEM. */
export type Issued = {
  readonly certificate: string
  readonly key: string
  /** As Node and the server say it. */
  readonly serial: string
  /** SHA-256 of its DER, hexadecimal: `cert_sha256` of `/connz?auth=1`. */
  readonly fingerprint: string
}

export type Authority = {
  readonly certificate: string
  issue(commonName: string, options?: CertificateOptions): Promise<Issued>
}

/** An authority for a test: it signs certificates for servers and clients of any validity. */
export async function authority(name: string): Promise<Authority> {
  const own = await make(name, 1, [
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
  ])
  const ca = { key: own.private, cert: own.cert }
  return {
    certificate: own.cert,
    async issue(commonName, { names = ['127.0.0.1', 'localhost'], use, days = 1 } = {}) {
      const extensions: CertificateExtension[] = [
        { name: 'basicConstraints', cA: false, critical: true },
        { name: 'keyUsage', digitalSignature: true, critical: true },
        { name: 'extKeyUsage', serverAuth: use !== 'client', clientAuth: use !== 'server' },
        {
          name: 'subjectAltName',
          altNames: names.map((one) => (isIP(one) === 0 ? { type: 2, value: one } : { type: 7, ip: one })),
        },
      ]
      const issued = await make(commonName, days, extensions, ca)
      const { serialNumber, fingerprint256 } = new X509Certificate(issued.cert)
      return {
        certificate: issued.cert,
        key: issued.private,
        serial: serialNumber,
        fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
      }
    },
  }
}

const make = (
  commonName: string,
  days: number,
  extensions: CertificateExtension[],
  ca?: { key: string; cert: string },
): ReturnType<typeof generate> =>
  generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - 2 * DAY_MS),
    notAfterDate: new Date(Date.now() + days * DAY_MS),
    extensions,
    ...(ca && { ca }),
  })
