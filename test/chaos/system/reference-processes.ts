import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  mainOf,
  partnerEnv,
  type PartnerName,
  partnerNames,
  partnerUrls,
  type ServiceName,
  serviceNames,
} from '../../reference/processes.ts'
import type { ChaosProcess } from '../system.ts'
import { type NodeProcess, nodeProcess } from './node-process.ts'
import type { Release } from './previous-release.ts'
import { at, natsEnv, type Site } from './site.ts'

export const processOfPartner = (name: PartnerName): string => `partner-${name}`
export const controlPort = (name: PartnerName): string => `${processOfPartner(name)} control`

/** The partner simulators. */
export function startPartners(site: Site): NodeProcess[] {
  const dataDir = join(site.folder, 'partners')
  return partnerNames.map((partner) => {
    const name = processOfPartner(partner)
    const ports = { port: site.port(name), controlPort: site.port(controlPort(partner)) }
    return nodeProcess({
      name,
      kind: 'partner',
      main: () => mainOf('partner-simulator'),
      env: { ...partnerEnv(partner, { ...ports, dataDir }), LOG_LEVEL: 'warn' },
      readyUrl: `${at(ports.controlPort)}/_fault`,
      onLine: site.onLine(name),
    })
  })
}

/** The services and the archive, as they are shipped. */
export async function startServices(site: Site, previous: Release): Promise<NodeProcess[]> {
  const clockDir = join(site.folder, 'clocks')
  await mkdir(clockDir, { recursive: true })
  return Promise.all(serviceNames.map((name) => startService(name, { site, previous, clockDir })))
}

type ServiceOptions = { site: Site; previous: Release; clockDir: string }

async function startService(name: ServiceName, { site, previous, clockDir }: ServiceOptions): Promise<NodeProcess> {
  let root: string | undefined
  const service = nodeProcess({
    name,
    kind: 'service',
    main: () => mainOf(name, root),
    env: {
      ...(await natsEnv(site, name)),
      ...(await ownEnv(name, site)),
      HEALTH_PORT: String(site.port(name)),
      LOG_LEVEL: 'warn',
    },
    readyUrl: `${at(site.port(name))}/readyz`,
    clockDir,
    plant: site.plantOf(name),
    onLine: site.onLine(name),
  })
  const release: ChaosProcess['release'] = async (which) => {
    root = which === 'previous' ? previous.root : undefined
    await service.stop()
    await service.start()
  }
  return Object.defineProperties(service, { release: { value: release } })
}

async function ownEnv(name: ServiceName, site: Site): Promise<Record<string, string>> {
  const { links, disks, folder } = site
  const through = async (to: string): Promise<string> => at(await links.between(name, to, site.port(to)))
  if (name === 'archive') return { CLICKHOUSE_URL: await through('clickhouse') }
  if (name === 'distribution-center') {
    const spools = join(folder, 'spools')
    await disks.give(name, spools)
    return { HTTP_PORT: String(site.port('api')), MALHA_SPOOL_FILE: join(spools, name) }
  }
  const called = partnerNames.filter((partner) => (partner === 'dmitri') === (name === 'city-registration'))
  const urls = new Map<PartnerName, string>()
  for (const partner of called) urls.set(partner, await through(processOfPartner(partner)))
  const all = partnerUrls((partner) => urls.get(partner) ?? '')
  return Object.fromEntries(Object.entries(all).filter(([, url]) => url !== ''))
}
