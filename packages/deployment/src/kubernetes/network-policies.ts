import type { Callee, Deployment, Workload } from '../deployment.ts'
import { type KubeObject, selectorOf } from './object.ts'
import { places } from './places.ts'

type Port = { protocol: 'TCP' | 'UDP'; port: number }
type Rule = { to?: object[]; from?: object[]; ports: Port[] }

/** Nobody talks to anybody, but for names to be looked up; then each workload what it needs. */
export const networkPolicies = ({ workloads }: Deployment): KubeObject[] => [
  policy('default-deny', {}, { policyTypes: ['Ingress', 'Egress'] }),
  policy('dns', {}, { policyTypes: ['Egress'], egress: [dns] }),
  ...workloads.map(ofWorkload),
]

function ofWorkload(workload: Workload): KubeObject {
  const ingress = ingressOf(workload)
  return policy(workload.name, selectorOf(workload), {
    policyTypes: ['Ingress', 'Egress'],
    ...(ingress.length > 0 && { ingress }),
    egress: [nats, telemetry, ...(workload.calls ?? []).map((callee) => callees[callee])],
  })
}

function ingressOf({ ports: { health, http } }: Workload): Rule[] {
  const scraped = { from: [inNamespace(places.monitoring.namespace)], ports: tcp(health ?? 0) }
  const asked = {
    from: [{ namespaceSelector: { matchLabels: { [places.ingressLabel]: 'true' } } }],
    ports: tcp(http ?? 0),
  }
  return [...(health === undefined ? [] : [scraped]), ...(http === undefined ? [] : [asked])]
}

const tcp = (...ports: number[]): Port[] => ports.map((port) => ({ protocol: 'TCP', port }))

const inNamespace = (namespace: string, pods?: Record<string, string>): object => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
  ...(pods && { podSelector: { matchLabels: pods } }),
})

const dns: Rule = {
  to: [inNamespace('kube-system', { 'k8s-app': 'kube-dns' })],
  ports: [{ protocol: 'UDP', port: 53 }, ...tcp(53)],
}
const nats: Rule = {
  to: [inNamespace(places.nats.namespace, { 'app.kubernetes.io/name': 'nats' })],
  ports: tcp(places.nats.port),
}
const telemetry: Rule = { to: [inNamespace(places.telemetry.namespace)], ports: tcp(places.telemetry.port) }

/** The outside: what is inside of a cluster or beside it has a private address. */
const outside: Rule = {
  to: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16'] } }],
  ports: tcp(443),
}
const callees: Readonly<Record<Callee, Rule>> = {
  clickhouse: { to: [inNamespace(places.clickhouse.namespace)], ports: tcp(places.clickhouse.port) },
  partners: outside,
  issuer: outside,
  webhooks: outside,
}

const policy = (name: string, matchLabels: Record<string, string>, spec: object): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name },
  spec: { podSelector: Object.keys(matchLabels).length === 0 ? {} : { matchLabels }, ...spec },
})
