import { deployment } from '@malha/deploy'
import { defineDeployment, type Deployment, type Uses, type Workload } from '@malha/deployment'
import type { ServiceDef } from '@malha/mesh'
import { reminded } from './contracts.ts'
import { publisherService } from './publisher-service.ts'
import { loadService } from './service.ts'

/**
 * The reference mesh as it is deployed, and the load beside it: processes of one service share its user.
 * @param workerBrings whether workers may bring delayed events to their stream, as whoever publishes these may
 */
export function deploymentWithLoad({ workerBrings }: { workerBrings: boolean }): Deployment {
  const delays = { delays: [reminded] }
  const worker = loadService({ isMended: unread, begins: unread, act: unread, actAgain: unread })
  return defineDeployment({
    ...deployment,
    workloads: [
      ...deployment.workloads,
      workload(worker, workerBrings ? delays : {}),
      workload(publisherService('plain'), delays),
      workload(publisherService('spool'), { spool: true }),
    ],
  })
}

const unread = (): never => {
  throw new Error('the service of a deployment is read, and never run')
}

const workload = (service: ServiceDef, uses: Uses): Workload => ({
  name: service.name,
  service,
  uses,
  kind: 'Deployment',
  ports: {},
})
