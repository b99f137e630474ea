import { deployment } from '@malha/deploy'
import { defineDeployment, type Deployment, type Workload } from '@malha/deployment'
import type { ServiceDef } from '@malha/mesh'
import { type DeploymentUsers, deploymentUsers } from '../../deploy/users.ts'
import { reminded } from '../workload/contracts.ts'
import { publisherService } from '../workload/publisher-service.ts'
import { loadService } from '../workload/service.ts'

const unread = (): never => {
  throw new Error('the service of a deployment is read, and never run')
}
const workload = (service: ServiceDef, uses: Workload['uses'] = {}): Workload => ({
  name: service.name,
  service,
  uses,
  kind: 'Deployment',
  ports: {},
})

/** The reference mesh as it is deployed, and the load beside it. */
const withLoad: Deployment = defineDeployment({
  ...deployment,
  workloads: [
    ...deployment.workloads,
    workload(loadService({ isMended: unread, begins: unread, act: unread, actAgain: unread }), { delays: [reminded] }),
    workload(publisherService('plain'), { delays: [reminded] }),
    workload(publisherService('spool'), { spool: true }),
  ],
})

/** A user for each service, with the rights that it has in production; processes of one service share it. */
export const chaosUsers = (): Promise<DeploymentUsers> => deploymentUsers(withLoad)

/**
 * An answer that comes later than whoever asked waits, as of a process that was stopped, is let out no more. A service that starts
 * while a stream is deleted may not make it, and leaves that to the operator. Connections that say nothing in time are cut.
 */
const RIGHTLY = [/Publish Violation - Subject "_INBOX_/, /Authentication Timeout/i]

/** What brokers refused that they should not have, each once. */
export function refusedWrongly(refusals: readonly string[], deletedStreams: readonly string[]): string[] {
  const own = deletedStreams.map((stream) => `"$JS.API.STREAM.CREATE.${stream}"`)
  const isRight = (line: string): boolean =>
    RIGHTLY.some((kind) => kind.test(line)) || own.some((subject) => line.includes(subject))
  return [...new Set(refusals.filter((line) => !isRight(line)).map((line) => line.replace(/^.*?nkey:/, '')))]
}
