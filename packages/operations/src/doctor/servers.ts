import { connect } from 'node:net'
import type { Mesh } from '@malha/mesh'
import { type Finding, findingsOf } from './finding.ts'

const { ok, warn, fail } = findingsOf('servers')
const LOOK_MS = 2000
/** The oldest that the mesh runs on. */
const LEAST = [2, 14]

/** A server by its address, with what it said of itself; `version` undefined where it could not be asked. */
export type Server = { readonly address: string; readonly name?: string; readonly version?: string }

/**
 * Versions of the server this is connected to, of those it names as its cluster, and of `known` ones, which may be away: each
 * says it to whoever opens a connection, before any credentials.
 */
export async function checkServers({ nats }: Mesh, known: readonly string[]): Promise<Finding[]> {
  const { version, server_name: name, connect_urls: others = [] } = nats.info!
  const own = { address: nats.getServer(), name, version }
  const rest = await Promise.all([...new Set([...known, ...others])].filter((one) => one !== own.address).map(greeted))
  // One server may have several addresses.
  const seen = new Map<string, Server>([own, ...rest].map((one) => [one.name ?? one.address, one]))
  return serverFindings([...seen.values()])
}

/** Pure. */
export function serverFindings(servers: readonly Server[]): Finding[] {
  const found = servers.flatMap(({ address, name, version }) => {
    const about = name === undefined ? address : `${name} (${address})`
    if (version === undefined)
      return [
        warn(
          about,
          'it could not be asked for its version from here',
          'see that it runs; or run this where it can be reached',
        ),
      ]
    return isOld(version)
      ? [fail(about, `it is nats-server ${version}`, `upgrade it: the mesh needs ${LEAST.join('.')} or newer`)]
      : []
  })
  const versions = [...new Set(servers.flatMap(({ version }) => version ?? []))]
  if (versions.length > 1)
    found.push(
      warn(
        'cluster',
        `its servers are of ${versions.length} versions: ${versions.sort().join(', ')}`,
        'upgrade all to one version, one after the other',
      ),
    )
  return found.length > 0 ? found : [ok('servers', `${servers.length}, nats-server ${versions[0]}`)]
}

function isOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major < LEAST[0]! || (major === LEAST[0] && minor < LEAST[1]!)
}

/** The first line of a server: `INFO {…}`. */
async function greeted(address: string): Promise<Server> {
  const url = new URL(`nats://${address}`)
  const line = await new Promise<string | undefined>((resolve) => {
    const socket = connect({
      host: url.hostname.replaceAll(/[[\]]/g, ''),
      port: Number(url.port || 4222),
      timeout: LOOK_MS,
    })
    let text = ''
    const end = (result?: string): void => {
      socket.destroy()
      resolve(result)
    }
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const until = text.indexOf('\r\n')
      if (until >= 0 || text.length > 64 * 1024) end(text.slice(0, until))
    })
    socket
      .on('error', () => end())
      .on('timeout', () => end())
      .on('close', () => end())
  })
  const said = /^INFO (\{.*\})\s*$/.exec(line ?? '')?.[1]
  if (said === undefined) return { address }
  const { version, server_name: name } = JSON.parse(said) as { version?: string; server_name?: string }
  return { address, ...(name !== undefined && { name }), ...(version !== undefined && { version }) }
}
