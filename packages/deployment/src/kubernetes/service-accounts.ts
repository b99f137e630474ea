import type { Deployment, Workload } from '../deployment.ts'
import type { KubeObject } from './object.ts'

/** An account a workload: no token is mounted, since none of them talks to Kubernetes. */
export const serviceAccounts = ({ workloads }: Deployment): KubeObject[] => workloads.map(serviceAccount)

const serviceAccount = ({ name }: Workload): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name },
  automountServiceAccountToken: false,
})
