import { join } from 'node:path'
import { type Deployment, localUsers } from '@malha/deployment'
import type { NatsConnection } from '@nats-io/transport-node'
import { root } from '../checks/workspace.ts'
import { loadDeployment } from '../modules/load-deployment.ts'

/** What processes are told of who they are on NATS. */
export type UserEnv = Readonly<Record<string, string>>

/** The users of the reference mesh on the NATS of a system: each process has its own, with the rights it has in production. */
export interface NatsUsers {
  /** Where their keys are. */
  readonly folder: string
  /** Of nats-server. */
  readonly config: string
  readonly as: (user: string) => UserEnv
  /** Makes streams, buckets and durables, as the user who may. */
  provision(url: string): Promise<void>
  /** A connection with nothing of the mesh in between. */
  connect(user: string, url: string): Promise<NatsConnection>
  /** What a line of the server's log says was refused to whom; undefined of any other line. */
  refusalOf(line: string): string | undefined
}

/** Makes the users anew, from what the services of the clone say now. Whoever shows no key may do everything: the server listens on this machine alone. */
export async function natsUsers(folder: string): Promise<NatsUsers> {
  const deployment = atDesk(await loadDeployment(join(root, 'deploy/mesh.ts')))
  const { config, envOf, userOf, ...own } = await localUsers(deployment, { folder, isOpen: true })
  return {
    folder,
    config,
    as: envOf,
    provision: own.provision,
    connect: (user, url) => own.connect(user, url, { name: `malha/${user}` }),
    refusalOf(line) {
      const [, key, what, subject] = REFUSED.exec(line) ?? []
      if (!key || !what || !subject) return undefined
      return `NATS refused ${userOf(key) ?? key} something (${what}, ${subject}): say in its service, or in deploy/mesh.ts, that it does that`
    },
  }
}

/** As nats-server 2.15 says it: `… - "ACCOUNT/nkey:U…" - Publish Violation - Subject "…"`. */
const REFUSED = /nkey:(\w+)" - (\w+ Violation) - (Subject .*)$/

/** At a desk events are sent by hand, too. */
const atDesk = (deployment: Deployment): Deployment => ({
  ...deployment,
  workloads: deployment.workloads.map((one) =>
    one.tool === 'console' ? { ...one, uses: { sendsEvents: true } } : one,
  ),
})
