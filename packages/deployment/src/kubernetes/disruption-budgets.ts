import type { Deployment, Workload } from '../deployment.ts'
import { type KubeObject, selectorOf } from './object.ts'

/** One copy at a time may be moved away; one that is not ready anyway never holds up the emptying of a node. */
export const disruptionBudgets = ({ workloads }: Deployment): KubeObject[] =>
  workloads.filter(({ kind }) => kind !== 'Job').map(disruptionBudget)

const disruptionBudget = (workload: Workload): KubeObject => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: workload.name },
  spec: {
    maxUnavailable: 1,
    unhealthyPodEvictionPolicy: 'AlwaysAllow',
    selector: { matchLabels: selectorOf(workload) },
  },
})
