import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Deployment,
  generate,
  inboxPrefixOf,
  nkeyVariable,
  permissionsOf,
  provisionDeployment,
} from '@malha/deployment'
import { connectMesh, meshOptions } from '@malha/mesh'
import { connect, nkeyAuthenticator, nkeys, type NatsConnection } from '@nats-io/transport-node'
import type { MeshUsers } from '../kills/reference-mesh.ts'

/** May do everything in the account; a test looks as this one, and nothing that is tested does. */
const ADMIN = 'admin'

/** The users of a deployment as generated, with keys of their own. */
export interface DeploymentUsers extends MeshUsers, AsyncDisposable {
  /** What a server that `onLine` hears refused, and its errors. */
  readonly refusals: readonly string[]
  /** Hears the server's log. */
  onLine(line: string): void
  /** A connection with nothing of the mesh in between. */
  connect(user: string, url: string): Promise<NatsConnection>
}

/** @param without A right that is left out. */
export async function deploymentUsers(deployment: Deployment, without?: string): Promise<DeploymentUsers> {
  const folder = await mkdtemp(join(tmpdir(), 'malha-users-'))
  const pairs = new Map([...permissionsOf(deployment).keys(), 'sys', ADMIN].map((user) => [user, nkeys.createUser()]))
  const seedFile = (user: string): string => join(folder, `${user}.nk`)
  for (const [user, pair] of pairs) await writeFile(seedFile(user), pair.getSeed(), { mode: 0o400 })
  const keys = [...pairs].map(([user, pair]) => `${nkeyVariable(user)}: ${pair.getPublicKey()}`)
  const accounts = generate(deployment).get('nats/accounts.conf')!.replaceAll(JSON.stringify(without), '')
  const refusals: string[] = []
  const as = (user: string): Record<string, string> => ({
    NATS_NKEY_SEED_FILE: seedFile(user),
    NATS_INBOX_PREFIX: inboxPrefixOf(user),
    // All is made before, by the one who may.
    MALHA_TOPOLOGY: user === 'provision' ? 'ensure' : 'verify',
  })
  const authenticatorOf = (user: string): ReturnType<typeof nkeyAuthenticator> =>
    nkeyAuthenticator(pairs.get(user)!.getSeed())
  return {
    config: [
      ...keys,
      'NATS_MAX_FILE: 900GB',
      'NATS_MAX_MEM: 1GB',
      accounts.replace('users: [', `users: [{ nkey: $${nkeyVariable(ADMIN)} }`),
    ].join('\n'),
    as,
    watcher: authenticatorOf(ADMIN),
    refusals,
    onLine(line) {
      if (/violation|error/i.test(line)) refusals.push(line)
    },
    async prepare(url) {
      await using mesh = await connectMesh(meshOptions({ NATS_URL: url, ...as('provision') }))
      await provisionDeployment(mesh, deployment)
    },
    connect: (user, servers) =>
      connect({ servers, authenticator: authenticatorOf(user), inboxPrefix: inboxPrefixOf(user), reconnect: false }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}
