import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { connectMesh, type Mesh, meshOptions, type MeshOptions } from '@malha/mesh'
import {
  type Authenticator,
  connect,
  type ConnectionOptions,
  nkeyAuthenticator,
  nkeys,
  type NatsConnection,
} from '@nats-io/transport-node'
import type { Deployment } from '../deployment.ts'
import { provisionDeployment } from '../provision.ts'
import { natsAccounts, nkeyVariable, usersOf } from './accounts.ts'
import { ADMIN, SYSTEM } from './people.ts'
import { inboxPrefixOf } from './rights.ts'

export type LocalUsersOptions = {
  /** Where the seeds go, a file a user that nobody else may read (0600): `<user>.nk`. Made when missing. */
  folder: string
  /** Who shows no key is the user `admin`: for a server that only this machine reaches. @default he is refused */
  isOpen?: boolean
  /** What the account may store, bytes or such as `200GB`. @default as much as the server */
  maxFile?: string
}

/** Users of a deployment on a server of one's own. */
export type LocalUsers = {
  /** Lines of configuration for nats-server, with no secret in them. */
  readonly config: string
  /** By which a process connects as a user. Streams and durables are those that `provision` has made. */
  readonly envOf: (user: string) => Record<string, string>
  /** Whose a public key is, as the log of the server has it; undefined of any other. */
  readonly userOf: (publicKey: string) => string | undefined
  readonly authenticatorOf: (user: string) => Authenticator
  /** A mesh of that user in this process. */
  readonly mesh: (user: string, url: string, options?: Partial<MeshOptions>) => Promise<Mesh>
  /** A connection with nothing of the mesh in between. */
  readonly connect: (user: string, url: string, options?: ConnectionOptions) => Promise<NatsConnection>
  /** Makes all that the deployment needs, as its user `provision`: streams, buckets, durables. `options` are of its mesh, such as `replicas`. */
  readonly provision: (url: string, options?: Partial<MeshOptions>) => Promise<void>
}

/**
 * The users of a deployment with the rights they have in production, and keys that are made now: for a server that is started
 * here, at a desk or in a test. Keys of an earlier call in the same folder are gone.
 */
export async function localUsers(
  deployment: Deployment,
  { folder, isOpen = false, maxFile = '-1' }: LocalUsersOptions,
): Promise<LocalUsers> {
  const at = resolve(folder)
  const fileOf = (user: string): string => join(at, `${user}.nk`)
  await mkdir(at, { recursive: true, mode: 0o700 })
  const keys = new Map<string, string>()
  for (const user of [...usersOf(deployment), SYSTEM]) {
    const pair = nkeys.createUser()
    await writeFile(fileOf(user), pair.getSeed(), { mode: 0o600 })
    keys.set(user, pair.getPublicKey())
  }
  const envOf: LocalUsers['envOf'] = (user) => ({
    NATS_NKEY_SEED_FILE: fileOf(user),
    NATS_INBOX_PREFIX: inboxPrefixOf(user),
    MALHA_TOPOLOGY: mayMakeStreams(deployment, user) ? 'ensure' : 'verify',
  })
  const authenticatorOf: LocalUsers['authenticatorOf'] = (user) => nkeyAuthenticator(readFileSync(fileOf(user)))
  const mesh: LocalUsers['mesh'] = (user, url, options = {}) =>
    connectMesh({ ...meshOptions({ NATS_URL: url, ...envOf(user) }), ...options })
  return {
    config: [
      ...[...keys].map(([user, key]) => `${nkeyVariable(user)}: ${key}`),
      `NATS_MAX_FILE: ${maxFile}`,
      'NATS_MAX_MEM: -1',
      Object.values(natsAccounts(deployment)).join('\n'),
      ...(isOpen ? [`no_auth_user: ${keys.get(ADMIN)}`] : []),
    ].join('\n'),
    envOf,
    userOf: (publicKey) => [...keys].find(([, key]) => key === publicKey)?.[0],
    authenticatorOf,
    mesh,
    connect: (user, servers, options = {}) =>
      connect({ servers, authenticator: authenticatorOf(user), inboxPrefix: inboxPrefixOf(user), ...options }),
    async provision(url, options) {
      await using own = await mesh('provision', url, options)
      await provisionDeployment(own, deployment)
    },
  }
}

const mayMakeStreams = ({ workloads }: Deployment, user: string): boolean =>
  user === ADMIN || workloads.some(({ name, tool }) => name === user && tool === 'provision')
