import type { Deployment, Workload } from '../deployment.ts'
import { type KubeObject, selectorOf } from './object.ts'

/** Of workloads that serve others; and one without an address for each StatefulSet, whose pods have names. */
export const services = ({ workloads }: Deployment): KubeObject[] =>
  workloads.flatMap((workload) => [
    ...(workload.ports.http === undefined ? [] : [service(workload)]),
    ...(workload.kind === 'StatefulSet' ? [headless(workload)] : []),
  ])

const service = (workload: Workload): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: workload.name },
  spec: {
    selector: selectorOf(workload),
    ports: [{ name: 'http', port: 80, targetPort: 'http', appProtocol: 'http' }],
  },
})

const headless = (workload: Workload): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: `${workload.name}-pods` },
  spec: {
    clusterIP: 'None',
    selector: selectorOf(workload),
    ports: Object.entries(workload.ports).map(([name, port]) => ({ name, port, targetPort: name })),
  },
})
