import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The partner systems of the reference mesh. */
export const partnerNames = ['senninha', 'maas', 'dmitri'] as const
export type PartnerName = (typeof partnerNames)[number]

/** The services of the reference mesh, and the archive. */
export const serviceNames = ['distribution-center', 'provider', 'city-registration', 'archive'] as const
export type ServiceName = (typeof serviceNames)[number]

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What Node runs of a package. `root` is the clone it is of. */
export function mainOf(name: ServiceName | 'partner-simulator' | 'console', root = ROOT): string {
  const isService = name !== 'archive' && name !== 'console'
  return join(root, 'packages', isService ? `services/${name}` : name, 'src/main.ts')
}

/**
 * What every process of a test gets from this one's environment. Compiled code is kept between starts, as `malha up` does:
 * a process that is started again should not compile everything again.
 */
export function inheritedEnv(): Record<string, string> {
  const names = ['PATH', 'HOME', 'MALHA_CACHE', 'XDG_CACHE_HOME']
  const kept = Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])))
  const cache = kept['MALHA_CACHE'] ?? join(kept['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'malha')
  return { ...kept, NODE_COMPILE_CACHE: join(cache, 'compiled') }
}

/** The environment of a partner simulator. */
export function partnerEnv(
  name: PartnerName,
  { port, controlPort, dataDir }: { port: number; controlPort: number; dataDir: string },
): Record<string, string> {
  return { PARTNER: name, HTTP_PORT: String(port), CONTROL_PORT: String(controlPort), DATA_DIR: dataDir }
}

/** The variables by which services find the partners. */
export function partnerUrls(urlOf: (name: PartnerName) => string): Record<string, string> {
  return Object.fromEntries(partnerNames.map((name) => [`${name.toUpperCase()}_URL`, urlOf(name)]))
}

/** As each service's `start` script has them. */
export const nodeFlags: readonly string[] = ['--max-semi-space-size=2']
