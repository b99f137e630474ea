import type { Deployment, Workload } from '../deployment.ts'
import { type KubeObject, selectorOf } from './object.ts'

/** Makes all streams and durables before anybody needs them, and ends. Each release has its own, so an older one is removed. */
export const provisionJobs = ({ workloads }: Deployment): KubeObject[] =>
  workloads.filter(({ tool }) => tool === 'provision').map(provisionJob)

const provisionJob = (workload: Workload): KubeObject => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: workload.name, labels: selectorOf(workload) },
  spec: {
    backoffLimit: 10,
    activeDeadlineSeconds: 600,
    ttlSecondsAfterFinished: 600,
    template: {
      metadata: { labels: selectorOf(workload) },
      spec: {
        serviceAccountName: workload.name,
        restartPolicy: 'OnFailure',
        containers: [{ name: 'main', image: `malha/${workload.name}` }],
      },
    },
  },
})
