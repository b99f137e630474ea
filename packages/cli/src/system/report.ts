import { type PartnerName, partnerNames } from './partners.ts'
import type { Ports } from './ports.ts'
import { controlUrl, healthUrl, partnerUrl, type ServiceName, serviceNames } from './processes.ts'

/** Where everything is; `malha up --json` prints it as one line. */
export type SystemReport = {
  nats: string
  /** A folder with a key for each user of NATS: `viewer.nk`. Who shows none is `admin`. */
  natsUsers: string
  natsMonitor: string
  clickhouse: string
  traces: string
  tracesBackend: 'jaeger' | 'built-in'
  api: string
  /** The web console, where there is one. */
  console?: string
  partners: Record<PartnerName, string>
  partnerControls: Record<PartnerName, string>
  services: Record<ServiceName, { pid: number | null; health: string }>
}

export type ReportParts = Pick<
  SystemReport,
  'nats' | 'natsUsers' | 'natsMonitor' | 'clickhouse' | 'traces' | 'tracesBackend'
>

/** @param pidOf The process that runs a service now; null in the pause before a restart. */
export function reportOf(parts: ReportParts, ports: Ports, pidOf: (name: ServiceName) => number | null): SystemReport {
  return {
    ...parts,
    api: `http://127.0.0.1:${ports.api}`,
    partners: eachPartner((name) => partnerUrl(name, ports)),
    partnerControls: eachPartner((name) => controlUrl(name, ports)),
    services: Object.fromEntries(
      serviceNames.map((name) => [name, { pid: pidOf(name), health: healthUrl(name, ports) }]),
    ) as SystemReport['services'],
  }
}

function eachPartner(urlOf: (name: PartnerName) => string): Record<PartnerName, string> {
  return Object.fromEntries(partnerNames.map((name) => [name, urlOf(name)])) as Record<PartnerName, string>
}
