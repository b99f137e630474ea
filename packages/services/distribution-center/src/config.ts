import { meshOptions, type MeshOptions } from '@malha/mesh'
import { healthAddress } from '@malha/telemetry'

export type Address = { readonly host: string; readonly port: number }
export type ServiceConfig = { readonly mesh: MeshOptions; readonly health: Address; readonly http: Address }

type Env = Readonly<Record<string, string | undefined>>

/**
 * `HTTP_HOST` (127.0.0.1), `HTTP_PORT` (8080; 0 takes a free one), and what the mesh and the health endpoints read.
 * @throws Error with every fault
 */
export function serviceConfig(env: Env): ServiceConfig {
  const faults: string[] = []
  const read = <T>(part: (env: Env) => T): T | undefined => {
    try {
      return part(env)
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error))
      return undefined
    }
  }
  const [mesh, health, http] = [read(meshOptions), read(healthAddress), read(httpAddress)]
  if (mesh && health && http) return { mesh, health, http }
  throw new Error(faults.join('\n'))
}

function httpAddress(env: Env): Address {
  const port = Number(env['HTTP_PORT'] || '8080')
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`HTTP_PORT is ${JSON.stringify(env['HTTP_PORT'])}; a port, 0 (any free one) to 65535`)
  return { host: env['HTTP_HOST'] || '127.0.0.1', port }
}
