import type { TlsFiles } from '@malha/mesh'
import { type Authority, type Issued } from './authority.ts'
import { type SecretVolume, secretVolume } from './secret-volume.ts'

type Files = Record<'tls.crt' | 'tls.key' | 'ca.crt', string>

/** A certificate and its key as a Secret of Kubernetes has them, with the authority that is trusted. */
export const filesOf = ({ certificate, key }: Pick<Issued, 'certificate' | 'key'>, trusted: Authority): Files => ({
  'tls.crt': certificate,
  'tls.key': key,
  'ca.crt': trusted.certificate,
})

export const volumeOf = (issued: Issued, trusted: Authority): Promise<SecretVolume> =>
  secretVolume(filesOf(issued, trusted))

export const tlsOf = (volume: SecretVolume): Required<TlsFiles> => ({
  caFile: volume.path('ca.crt'),
  certFile: volume.path('tls.crt'),
  keyFile: volume.path('tls.key'),
})

/** Of the configuration of a server. */
export const tlsBlock = (own: SecretVolume, more: string): string =>
  `tls { cert_file: "${own.path('tls.crt')}", key_file: "${own.path('tls.key')}", ca_file: "${own.path('ca.crt')}", timeout: 5, ${more} }`
