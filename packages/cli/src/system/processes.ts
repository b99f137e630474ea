import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheFolder } from './cache-folder.ts'
import type { NatsUsers } from './nats-users.ts'
import { type PartnerName, partnerNames } from './partners.ts'
import type { PortName, Ports } from './ports.ts'

/** The services of the reference mesh and the archive, as they are named in reports and logs. */
export const serviceNames = ['distribution-center', 'provider', 'city-registration', 'archive'] as const
export type ServiceName = (typeof serviceNames)[number]

/** A process of the system that is ours to start: never imported, always run. */
export type ProcessPlan = {
  name: string
  /** Its entry, run by Node. */
  main: string
  env: Record<string, string>
  /** Answers 200 once it is ready. */
  readyUrl: string
}

/** Where the parts that are no services listen, and who is who on NATS. */
export type Backends = { nats: string; clickhouse: string; otlp: string; as: NatsUsers['as'] }

/** What services are given to find their way. */
export type Places = Backends & {
  /** The file in which distribution-center keeps what it accepted while the broker was away. */
  spool: string
}

const packages = new URL('../../../', import.meta.url)
const mainOf = (folder: string): string => fileURLToPath(new URL(`${folder}/src/main.ts`, packages))
const at = (port: number): string => `http://127.0.0.1:${port}`

const healthPort: Record<ServiceName, PortName> = {
  'distribution-center': 'distributionCenterHealth',
  provider: 'providerHealth',
  'city-registration': 'cityRegistrationHealth',
  archive: 'archiveHealth',
}

/** Where a service answers `/livez`, `/readyz` and `/metrics`. */
export const healthUrl = (name: ServiceName, ports: Ports): string => at(ports[healthPort[name]])
/** Where a partner serves its own API. */
export const partnerUrl = (name: PartnerName, ports: Ports): string => at(ports[name])
/** Where a partner simulator is told its faults. */
export const controlUrl = (name: PartnerName, ports: Ports): string => at(ports[`${name}Control`])

/** One simulator a partner. */
export function partnerPlan(name: PartnerName, ports: Ports, dataDir: string): ProcessPlan {
  return {
    name: `partner-${name}`,
    main: mainOf('services/partner-simulator'),
    env: {
      PARTNER: name,
      HTTP_PORT: String(ports[name]),
      CONTROL_PORT: String(ports[`${name}Control`]),
      DATA_DIR: dataDir,
    },
    readyUrl: `${controlUrl(name, ports)}/_fault`,
  }
}

/** A service or the archive, in its shipped configuration: nothing but addresses, who it is, and the place of a file. */
export function servicePlan(name: ServiceName, ports: Ports, places: Places): ProcessPlan {
  return {
    name,
    main: mainOf(name === 'archive' ? 'archive' : `services/${name}`),
    env: {
      NATS_URL: places.nats,
      ...places.as(name),
      OTEL_EXPORTER_OTLP_ENDPOINT: places.otlp,
      HEALTH_PORT: String(ports[healthPort[name]]),
      ...ownEnv(name, ports, places),
    },
    readyUrl: `${healthUrl(name, ports)}/readyz`,
  }
}

function ownEnv(name: ServiceName, ports: Ports, { clickhouse, spool }: Places): Record<string, string> {
  if (name === 'distribution-center') return { HTTP_PORT: String(ports.api), MALHA_SPOOL_FILE: spool }
  if (name === 'archive') return { CLICKHOUSE_URL: clickhouse }
  return Object.fromEntries(partnerNames.map((partner) => [`${partner.toUpperCase()}_URL`, partnerUrl(partner, ports)]))
}

/** The web console: what it may do, where it reads traces, and whether that is a Jaeger where people look at them. */
export type ConsolePlan = { role: string; indexFile: string; tracesUrl: string; isJaeger: boolean }

export function consolePlan(ports: Ports, { nats, clickhouse, as }: Backends, plan: ConsolePlan): ProcessPlan {
  return {
    name: 'console',
    main: mainOf('console'),
    env: {
      NATS_URL: nats,
      ...as('console'),
      CLICKHOUSE_URL: clickhouse,
      CONSOLE_PORT: String(ports.console),
      CONSOLE_ROLE: plan.role,
      CONSOLE_INDEX_FILE: plan.indexFile,
      CONSOLE_SEND_EVENTS: 'on',
      CONSOLE_TRACES_URL: plan.tracesUrl,
      ...(plan.isJaeger && { JAEGER_URL: plan.tracesUrl }),
    },
    readyUrl: `${consoleUrl(ports)}/api/session`,
  }
}

/** Where the web console is. */
export const consoleUrl = (ports: Ports): string => at(ports.console)

/**
 * What a child inherits: everything but what configures a mesh, which may be meant for another one. Compiled code is kept
 * between runs: eight processes that start at once would else spend most of their time compiling.
 */
export function inheritedEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const foreign = /^(NATS|MALHA|CONSOLE|JAEGER|OTEL|CLICKHOUSE|HTTP|HEALTH|SENNINHA|MAAS|DMITRI)_/
  const kept = Object.entries(env).filter(([name]) => name === 'HTTP_PROXY' || !foreign.test(name))
  return { NODE_COMPILE_CACHE: join(cacheFolder(env), 'compiled'), ...Object.fromEntries(kept) }
}
