import { join } from 'node:path'
import { deployment } from '@malha/deploy'
import { type Deployment, type LocalUsers, localUsers, type Workload } from '@malha/deployment'
import type { ServiceDef } from '@malha/mesh'
import { reminded } from '../chaos/workload/contracts.ts'
import { publisherService } from '../chaos/workload/publisher-service.ts'
import { loadService } from '../chaos/workload/service.ts'

/** A user for each workload, that of the load among them, with the rights that are generated for it. */
export interface RolledUsers extends Pick<LocalUsers, 'config' | 'authenticatorOf'> {
  /** Environment of a process of a workload. */
  readonly as: (workload: string) => Record<string, string>
  /** Hears the log of each server. */
  readonly onLine: (line: string) => void
  /** What a server refused to whom, as its log has it. */
  readonly refusals: readonly string[]
  /** Makes all that the deployment needs, in as many replicas. */
  prepare(url: string, replicas: 1 | 3): Promise<void>
}

const unread = (): never => {
  throw new Error('the service of a deployment is read, and never run')
}
const ofLoad = (name: string, service: ServiceDef): Workload => ({
  name,
  service,
  kind: 'Deployment',
  ports: { health: 9090 },
})
const rolled: Deployment = {
  ...deployment,
  workloads: [
    ...deployment.workloads,
    ofLoad('load-worker', loadService({ isMended: unread, begins: unread, act: unread, actAgain: unread })),
    { ...ofLoad('load-publisher', publisherService('plain')), uses: { delays: [reminded] } },
  ],
}
const REFUSED = /nkey:(\w+)" - (\w+ Violation - Subject .*)$/

export async function rolledUsers(folder: string): Promise<RolledUsers> {
  const users = await localUsers(rolled, { folder: join(folder, 'keys') })
  const refusals: string[] = []
  return {
    config: users.config,
    authenticatorOf: users.authenticatorOf,
    as: users.envOf,
    onLine(line) {
      const [, key = '', what] = REFUSED.exec(line) ?? []
      if (what) refusals.push(`${users.userOf(key) ?? key}: ${what}`)
    },
    refusals,
    prepare: (url, replicas) => users.provision(url, { replicas }),
  }
}
