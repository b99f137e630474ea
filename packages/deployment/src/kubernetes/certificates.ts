import type { Deployment, Workload } from '../deployment.ts'
import type { KubeObject, Patch } from './object.ts'

/** A certificate a workload, by which NATS knows its process; cert-manager makes another in time, and it is read at every connect. */
export const certificates = ({ workloads, namespace }: Deployment): KubeObject[] =>
  workloads.map((workload) => certificate(workload, namespace))

const certificate = ({ name }: Workload, namespace: string): KubeObject => ({
  apiVersion: 'cert-manager.io/v1',
  kind: 'Certificate',
  metadata: { name: `${name}-tls` },
  spec: {
    secretName: `${name}-tls`,
    commonName: name,
    dnsNames: [`${name}.${namespace}.svc`],
    usages: ['client auth'],
    duration: '720h',
    renewBefore: '240h',
    privateKey: { algorithm: 'ECDSA', size: 256, rotationPolicy: 'Always' },
    issuerRef: { group: 'cert-manager.io', kind: 'ClusterIssuer', name: 'nats' },
  },
})

/** Each workload has its certificate as files, where `NATS_TLS_CERT_FILE` and its fellows say; a renewed one takes their place. */
export const certificateMounts = ({ workloads }: Deployment): Patch[] =>
  workloads.map(({ name, kind }) => ({
    target: { kind, name },
    operations: [
      add('containers/0/volumeMounts', { name: 'tls', mountPath: '/var/run/secrets/malha/tls', readOnly: true }),
      add('volumes', { name: 'tls', secret: { secretName: `${name}-tls`, defaultMode: 0o400 } }),
    ],
  }))

const add = (list: string, value: unknown): Patch['operations'][number] => ({
  op: 'add',
  path: `/spec/template/spec/${list}/-`,
  value,
})
