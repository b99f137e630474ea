import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '@malha/stack'
import getPort, { clearLockedPorts } from 'get-port'
import { CliError } from '../cli-error.ts'

/** Every port the system listens on: its default, what it is for, and the flag that moves it. */
export const portTable = {
  nats: { port: 4222, flag: '--nats-port', what: 'NATS' },
  natsMonitor: { port: 8222, flag: '--nats-monitor-port', what: 'the NATS monitor' },
  clickhouse: { port: 8123, flag: '--clickhouse-port', what: 'ClickHouse' },
  otlp: { port: 4318, flag: '--otlp-port', what: 'incoming traces (OTLP/HTTP)' },
  traces: { port: 16_686, flag: '--traces-port', what: 'reading traces' },
  api: { port: 8080, flag: '--api-port', what: 'the API' },
  senninha: { port: 7001, flag: '--senninha-port', what: 'partner Senninha' },
  maas: { port: 7002, flag: '--maas-port', what: 'partner MaaS' },
  dmitri: { port: 7003, flag: '--dmitri-port', what: 'partner dmitri' },
  senninhaControl: { port: 7101, flag: '--senninha-control-port', what: 'the faults of Senninha' },
  maasControl: { port: 7102, flag: '--maas-control-port', what: 'the faults of MaaS' },
  dmitriControl: { port: 7103, flag: '--dmitri-control-port', what: 'the faults of dmitri' },
  distributionCenterHealth: {
    port: 8081,
    flag: '--distribution-center-health-port',
    what: 'the health of distribution-center',
  },
  providerHealth: { port: 8082, flag: '--provider-health-port', what: 'the health of provider' },
  cityRegistrationHealth: {
    port: 8083,
    flag: '--city-registration-health-port',
    what: 'the health of city-registration',
  },
  console: { port: 8090, flag: '--console-port', what: 'the web console' },
  archiveHealth: { port: 8084, flag: '--archive-health-port', what: 'the health of the archive' },
} as const

export type PortName = keyof typeof portTable
export type Ports = Record<PortName, number>

export const portNames = Object.keys(portTable) as PortName[]

/** The option name commander derives from the flag: `--nats-port` → `natsPort`. */
export function optionOf(name: PortName): string {
  return portTable[name].flag.slice(2).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

/**
 * Ports from the flags that were given, the rest by default or, with `random`, free ones.
 * @throws CliError CLI_INVALID_OPTION when two names share a port
 */
export async function choosePorts(given: Partial<Ports>, random: boolean): Promise<Ports> {
  const free = random ? await freePorts(portNames.length) : []
  const ports = Object.fromEntries(
    portNames.map((name, index) => [name, given[name] ?? free[index] ?? portTable[name].port]),
  ) as Ports
  const faults = sharedPorts(ports)
  if (faults.length > 0) throw new CliError('CLI_INVALID_OPTION', faults.join('\n'))
  return ports
}

function sharedPorts(ports: Ports): string[] {
  const first = new Map<number, PortName>()
  const faults: string[] = []
  for (const name of portNames) {
    const other = first.get(ports[name])
    if (other === undefined) first.set(ports[name], name)
    else faults.push(`port ${ports[name]} is asked for twice: ${portTable[other].flag} and ${portTable[name].flag}`)
  }
  return faults
}

/**
 * @param patienceMs How long a taken port is waited for: what a killed run left behind ends within seconds.
 * @throws CliError CLI_PORT_TAKEN with every port that is taken and the flag that moves it
 */
export async function assertPortsFree(ports: Partial<Ports>, patienceMs: number): Promise<void> {
  const deadline = Date.now() + patienceMs
  const wanted = portNames.flatMap((name) => (ports[name] === undefined ? [] : [{ name, port: ports[name] }]))
  for (;;) {
    // It remembers what it gave out as free a moment ago and would call that taken.
    clearLockedPorts()
    const free = await Promise.all(wanted.map(({ port }) => getPort({ port, host: '127.0.0.1' })))
    const taken = wanted.filter(({ port }, index) => free[index] !== port)
    if (taken.length === 0) return
    if (Date.now() >= deadline) throw new CliError('CLI_PORT_TAKEN', takenMessage(taken))
    await sleep(100)
  }
}

function takenMessage(taken: readonly { name: PortName; port: number }[]): string {
  const lines = taken.map(({ name, port }) => {
    const { what, flag } = portTable[name]
    return `port ${port} for ${what} is taken: free it, or choose another with ${flag}`
  })
  const hint = lines.length > 1 ? ['(--ports random takes free ones for everything)'] : []
  return [...lines, ...hint].join('\n')
}
