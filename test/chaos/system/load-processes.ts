import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type NodeProcess, nodeProcess } from './node-process.ts'
import { at, natsEnv, type Site } from './site.ts'

const WORKERS = 2
/** Of the load's rate. */
const SPOOL_SHARE = 0.12
/** Centres a second; each is a handful of messages and three calls. */
const CENTERS_SHARE = 0.006

const mainOf = (file: string): string => fileURLToPath(new URL(`../workload/${file}.ts`, import.meta.url))

/** The ledger of effects, which no nemesis touches. */
export function startLedger(site: Site): NodeProcess {
  return nodeProcess({
    name: 'ledger',
    kind: 'load',
    main: () => mainOf('ledger'),
    env: { ...site.recording('ledger'), HTTP_PORT: String(site.port('ledger')) },
    readyUrl: at(site.port('ledger')),
    onLine: site.onLine('ledger'),
  })
}

/** Once it is there, handlers do what they refused before. */
export const mendedFile = (folder: string): string => join(folder, 'mended')

/** Workers that run the handlers of the load. */
export function startWorkers(site: Site): Promise<NodeProcess[]> {
  const names = Array.from({ length: WORKERS }, (_, index) => `load-worker-${index + 1}`)
  return Promise.all(
    names.map(async (name) => {
      const ledger = await site.links.between(name, 'ledger', site.port('ledger'))
      return startLoad(site, {
        name,
        user: 'load',
        file: 'worker',
        env: { LEDGER_URL: at(ledger), MENDED_FILE: mendedFile(site.folder) },
      })
    }),
  )
}

/** Those who publish the load, one of them with a spool. */
export function startPublishers(site: Site, rate: number): Promise<NodeProcess[]> {
  const spool = { MALHA_SPOOL_FILE: join(site.folder, 'load.spool'), KIND: 'spool', RATE: String(rate * SPOOL_SHARE) }
  const plain = { KIND: 'plain', RATE: String(rate * (1 - SPOOL_SHARE)) }
  return Promise.all([
    startLoad(site, { name: 'load-publisher', file: 'publisher', env: plain }),
    startLoad(site, { name: 'load-spooler', file: 'publisher', env: spool }),
  ])
}

/** Clients of the API, which no nemesis touches. */
export function startClients(site: Site, rate: number): NodeProcess {
  const name = 'api-clients'
  const env = { API_URL: at(site.port('api')), RATE: String(rate * CENTERS_SHARE) }
  return nodeProcess({
    name,
    kind: 'load',
    main: () => mainOf('api-client'),
    env: { ...site.recording(name), ...env },
    onLine: site.onLine(name),
  })
}

type Load = {
  name: string
  /** @default its name */
  user?: string
  file: string
  env: Record<string, string>
}

async function startLoad(site: Site, { name, user, file, env }: Load): Promise<NodeProcess> {
  const clockDir = join(site.folder, 'clocks')
  await mkdir(clockDir, { recursive: true })
  return nodeProcess({
    name,
    kind: 'load',
    main: () => mainOf(file),
    env: {
      ...(await natsEnv(site, name, user)),
      ...site.recording(name),
      ...env,
      HEALTH_PORT: String(site.port(name)),
      LOG_LEVEL: 'warn',
    },
    readyUrl: `${at(site.port(name))}/readyz`,
    clockDir,
    plant: site.plantOf(name),
    onLine: site.onLine(name),
  })
}
