import { type Names, names as namesOf, plannedTopology } from '@malha/mesh'
import { bucketStreams } from '../buckets.ts'
import type { Deployment, Workload } from '../deployment.ts'
import type { Generator } from '../generate.ts'
import { ADMIN, PEOPLE, SYSTEM } from './people.ts'
import { type Permissions, type Rights } from './rights.ts'
import { servicePermissions } from './service-permissions.ts'
import { rolePermissions } from './tool-permissions.ts'

/** All users of the mesh's account, by name: workloads, then people. */
export const usersOf = ({ workloads }: Deployment): string[] => [...workloads.map(({ name }) => name), ...PEOPLE, ADMIN]

/** What each user of the mesh's account may do, by its name; `admin`, who may do everything, is not among them. Pure. */
export function permissionsOf(deployment: Deployment, names: Names = namesOf('')): Map<string, Permissions> {
  const services = deployment.workloads.flatMap(({ service }) => (service ? [service] : []))
  const of = ({ name, service, tool, uses, buckets }: Workload): Permissions =>
    service
      ? servicePermissions(service, { user: name, names, services, uses, buckets })
      : rolePermissions(tool!, name, { names, services, uses })
  return new Map([
    ...deployment.workloads.map((workload): [string, Permissions] => [workload.name, of(workload)]),
    ...PEOPLE.map((role): [string, Permissions] => [role, rolePermissions(role, role, { names, services })]),
  ])
}

/** The variable that holds the public nkey of a user, in the environment of nats-server. */
export const nkeyVariable = (user: string): string => `NATS_NKEY_${user.toUpperCase().replaceAll('-', '_')}`

/** `nats/accounts.conf`: included by the configuration of nats-server. Users are known by public keys, so it holds no secret. */
export const natsAccounts: Generator = (deployment) => {
  const account = deployment.name.toUpperCase()
  const users = [...permissionsOf(deployment)].map(([user, permissions]) => userBlock(user, permissions))
  return {
    'nats/accounts.conf': `# Include it at the top level of the configuration of nats-server. The variables are in its environment: the public nkey of each
# user, and what the account may store. Each process has the seed as a file (NATS_NKEY_SEED_FILE) and an inbox of its own
# (NATS_INBOX_PREFIX).
accounts {
  ${account} {
    # Streams: some ${STREAMS_PER_STREAM} times those there are. Consumers are limited by each stream.
    jetstream { max_file: $NATS_MAX_FILE, max_mem: $NATS_MAX_MEM, max_streams: ${mostStreams(deployment)} }
    users: [
${users.join('\n')}
      # ${ADMIN}: everything in this account
      { nkey: $${nkeyVariable(ADMIN)} }
    ]
  }
  SYS {
    users: [{ nkey: $${nkeyVariable(SYSTEM)} }]
  }
}
system_account: SYS
`,
  }
}

/** Read models that are rebuilt beside live ones, services to come, the restore of a stream under another name. */
const STREAMS_PER_STREAM = 3

/**
 * A runaway that makes streams is stopped here. No `max_consumers`: nats-server (2.15) holds it against each stream, whose
 * own limit must not be above it, and the streams of a mesh have one.
 */
function mostStreams(deployment: Deployment): number {
  const services = deployment.workloads.flatMap(({ service }) => service ?? [])
  const { streams } = plannedTopology(services)
  const count = streams.length + bucketStreams(deployment, namesOf('')).length
  return Math.ceil((count * STREAMS_PER_STREAM) / 10) * 10
}

function userBlock(user: string, { publish, denyPublish, subscribe, allowResponses }: Permissions): string {
  const denied = denyPublish.length > 0 ? `\n          deny: [\n${rightsLines(denyPublish)}\n          ]` : ''
  const answers = allowResponses
    ? `\n        allow_responses: { max: ${allowResponses.max}, expires: "${allowResponses.expires}" }`
    : ''
  return `      # ${user}
      {
        nkey: $${nkeyVariable(user)}
        permissions: {
          subscribe: { allow: [
${rightsLines(subscribe)}
          ] }
          publish: {
          allow: [
${rightsLines(publish)}
          ]${denied}
          }${answers}
        }
      }`
}

const rightsLines = (groups: readonly Rights[]): string =>
  groups
    .map(({ what, subjects }) =>
      [`            # ${what}`, ...subjects.map((subject) => `            ${JSON.stringify(subject)}`)].join('\n'),
    )
    .join('\n')
