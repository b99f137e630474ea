import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import {
  connect,
  type NatsConnection,
  type NodeConnectionOptions,
  RequestError,
  TimeoutError,
} from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import { ERR_CODE } from '../publish/pub-ack.ts'
import { authenticatorOf, checkTlsFiles } from './credentials.ts'
import { explainConnectError, permissionViolation, serverList } from './connect-errors.ts'
import { hostOf } from './host-of.ts'
import type { ResolvedMeshOptions } from './options.ts'

/** The oldest nats-server the mesh runs on: schedules that survive, and batches that end as documented, came with it. */
const SERVER_FLOOR = '2.14.0'

/** How long one server may take to answer when connecting, ms. */
const CONNECT_TIMEOUT_MS = 5_000

/**
 * Connects, and checks that the mesh can work there. Tries each server once, and once more where none answers in time;
 * from then on the connection comes back by itself for as long as the process lives.
 * @throws MeshError MESH_CONNECT_FAILED | MESH_AUTH_FAILED | MESH_SERVER_TOO_OLD | MESH_JETSTREAM_OFF | MESH_INVALID_OPTIONS (a file that cannot be read)
 */
export async function connectNats(options: ResolvedMeshOptions): Promise<NatsConnection> {
  const settings = await connectionSettings(options)
  const nc = await patientConnect(settings).catch(async (error: unknown) => {
    throw await explainConnectError(error, options)
  })
  try {
    checkVersion(nc, options)
    await checkJetStream(nc, options)
    return nc
  } catch (error) {
    await nc.close()
    throw error
  }
}

/** A process that hardly gets the CPU as it starts misses an answer that came in time. */
const patientConnect = (settings: NodeConnectionOptions): Promise<NatsConnection> =>
  connect(settings).catch((error: unknown) => {
    if (error instanceof TimeoutError) return connect(settings)
    throw error
  })

/** Why a connection that was there does not come back: tries each server once more, as the client does, which tells nobody. */
export async function whyNoConnection(options: ResolvedMeshOptions): Promise<MeshError | undefined> {
  try {
    const settings = await connectionSettings(options)
    const nc = await connect({ ...settings, name: `${options.name} looks why`.slice(0, 128), reconnect: false })
    await nc.close()
    return undefined
  } catch (error) {
    return await explainConnectError(error, options)
  }
}

async function connectionSettings(options: ResolvedMeshOptions): Promise<NodeConnectionOptions> {
  await checkTlsFiles(options.tls)
  const authenticator = authenticatorOf(options.auth)
  const tls = options.tls && { ...options.tls, checkServerIdentity: identityCheck(options.servers) }
  return {
    servers: [...options.servers],
    name: options.name,
    inboxPrefix: options.inboxPrefix,
    timeout: CONNECT_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    reconnectJitterTLS: 250,
    // A frozen server is noticed within 45 s instead of the client's six minutes.
    pingInterval: 15_000,
    maxPingOut: 2,
    // A stack trace for every request costs more than the request.
    noAsyncTraces: true,
    // A credential that is being rotated, or an auth service that restarts, must not end the process.
    ignoreAuthErrorAbort: true,
    ...(tls && { tls }),
    ...(authenticator === undefined ? {} : { authenticator }),
  }
}

/**
 * For an address the client gives Node no name to look for in the certificate, and Node takes `localhost` (nats.js 3.4, Node 24): one
 * for the address would be refused, and one for localhost taken from any server. Which address it is, is not said: one that was given.
 */
function identityCheck(servers: readonly string[]): typeof checkServerIdentity {
  const hosts = servers.map(hostOf)
  const meant = hosts.filter((host) => isIP(host) !== 0 || host === 'localhost')
  return (host, certificate) => {
    if (host !== 'localhost' || meant.length === 0) return checkServerIdentity(host, certificate)
    const faults = meant.map((one) => checkServerIdentity(one, certificate))
    return faults.includes(undefined) ? undefined : faults[0]
  }
}

function checkVersion(nc: NatsConnection, options: ResolvedMeshOptions): void {
  const version = nc.info?.version ?? 'unknown'
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [floorMajor = 0, floorMinor = 0] = SERVER_FLOOR.split('.').map(Number)
  if (major > floorMajor || (major === floorMajor && minor >= floorMinor)) return
  throw new MeshError(
    'MESH_SERVER_TOO_OLD',
    `nats-server at ${serverList(options)} is version ${version}; the mesh needs ${SERVER_FLOOR} or newer. Upgrade the server`,
  )
}

/**
 * Asks the account, because a server without JetStream may sit in a cluster that has it. A user who may not ask is
 * taken at the server's word.
 */
async function checkJetStream(nc: NatsConnection, options: ResolvedMeshOptions): Promise<void> {
  try {
    const answer = await nc.request('$JS.API.INFO', undefined, { timeout: CONNECT_TIMEOUT_MS })
    const { error } = answer.json<{ error?: { err_code?: number; description: string } }>()
    if (error?.err_code === ERR_CODE.unavailable) throw leaderless(options, error.description)
    if (error) throw jetStreamOff(options, error.description)
  } catch (error) {
    if (error instanceof MeshError) throw error
    if (error instanceof RequestError && error.isNoResponders())
      throw jetStreamOff(options, 'it is not enabled on the server')
    const denied = permissionViolation(error)
    if (denied?.operation === 'subscription') throw inboxDenied(denied.subject, options)
    if (denied === undefined) throw await explainConnectError(error, options)
    if (nc.info?.jetstream !== true) throw jetStreamOff(options, 'the server offers none')
  }
}

/** It passes: most of the cluster is down or has just come up. */
function leaderless(options: ResolvedMeshOptions, why: string): MeshError {
  return new MeshError(
    'MESH_CONNECT_FAILED',
    `JetStream at ${serverList(options)} has no leader for now: ${why}. Are most servers of the cluster up? Then try again soon`,
  )
}

function jetStreamOff(options: ResolvedMeshOptions, why: string): MeshError {
  return new MeshError(
    'MESH_JETSTREAM_OFF',
    `no JetStream for this connection at ${serverList(options)}: ${why}. Start nats-server with -js, and give the account a jetstream block`,
  )
}

function inboxDenied(subject: string, options: ResolvedMeshOptions): MeshError {
  return new MeshError(
    'MESH_AUTH_FAILED',
    `${serverList(options)} does not let this user subscribe to ${subject}, where replies arrive. Set inboxPrefix (NATS_INBOX_PREFIX) to the prefix the user may use`,
  )
}
