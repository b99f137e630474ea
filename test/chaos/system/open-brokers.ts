import { join } from 'node:path'
import { type DeploymentUsers, deploymentUsers } from '../../deploy/users.ts'
import type { Topology } from '../system.ts'
import { deploymentWithLoad } from '../workload/deployment.ts'
import { type Brokers, startBrokers } from './brokers.ts'
import { type Disks, openDisks } from './disks.ts'
import { type Links, openLinks } from './links.ts'

/** Brokers, and by what processes reach them, store and are known to them. */
export type OpenBrokers = {
  readonly links: Links
  readonly disks: Disks
  /** One for each service, with the rights that it has in production. */
  readonly users: DeploymentUsers
  readonly brokers: Brokers
}

type Options = {
  topology: Topology
  /** Brokers keep their data below it. */
  folder: string
  /** Hears the log of each broker. @default nobody does, but for what is refused */
  onLine?: (line: string, broker: string) => void
}

export async function openBrokers({
  topology,
  folder,
  onLine = () => undefined,
}: Options): Promise<OpenBrokers & AsyncDisposable> {
  await using opened = new AsyncDisposableStack()
  const links = opened.use(openLinks())
  const disks = opened.use(await openDisks())
  // Whoever delays an event may be killed, so workers bring it too.
  const users = opened.use(await deploymentUsers(deploymentWithLoad({ workerBrings: true })))
  const brokers = opened.use(
    await startBrokers({
      topology,
      dataDir: join(folder, 'nats'),
      links,
      disks,
      users: users.config,
      onLine(line, broker) {
        onLine(line, broker)
        users.onLine(line)
      },
    }),
  )
  const all = opened.move()
  return { links, disks, users, brokers, [Symbol.asyncDispose]: () => all.disposeAsync() }
}
