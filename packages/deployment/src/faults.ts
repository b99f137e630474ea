import { isDeclared, isMatch, isObject, isWhole, isWithin, shown } from '@malha/mesh'
import { ADMIN, PEOPLE, SYSTEM } from './nats/people.ts'

const DNS_LABEL = /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/
const KINDS = ['Deployment', 'StatefulSet', 'Job']
const TOOLS = ['archive', 'console', 'notifier', 'provision']
const CALLEES = ['clickhouse', 'partners', 'issuer', 'webhooks']
const PORTS = ['health', 'http']
/** Users of NATS beside the workloads. */
const TAKEN = [...PEOPLE, ADMIN, SYSTEM]

/** All that is wrong with what was given as a deployment, which may be anything: a sentence each. */
export function deploymentFaults(given: unknown): string[] {
  if (!isObject(given)) return [`it is ${shown(given)}; an object of name, namespace and workloads`]
  const faults: string[] = []
  for (const key of ['name', 'namespace'])
    if (!isMatch(given[key], DNS_LABEL)) faults.push(`${key} is ${shown(given[key])}; ${DNS_LABEL_WORDS}`)
  const { workloads } = given
  if (!Array.isArray(workloads) || workloads.length === 0)
    return [...faults, `workloads is ${shown(workloads)}; a list of at least one`]
  const list = workloads as readonly unknown[]
  return [
    ...faults,
    ...list.flatMap((one, at) => {
      const name = isObject(one) && typeof one['name'] === 'string' ? shown(one['name']) : `number ${at + 1}`
      return workloadFaults(one).map((fault) => `workload ${name}: ${fault}`)
    }),
    ...repeatFaults(list),
  ]
}

const DNS_LABEL_WORDS = 'a-z, 0-9 and -, beginning with a letter and not ending in -, 63 characters at most'

function workloadFaults(one: unknown): string[] {
  if (!isObject(one)) return [`it is ${shown(one)}; an object`]
  const faults: string[] = []
  if (!isMatch(one['name'], DNS_LABEL)) faults.push(`its name takes ${DNS_LABEL_WORDS}`)
  if (isOneOf(one['name'], TAKEN))
    faults.push(`its name is that of a user for people (${TAKEN.join(', ')}); take another`)
  if (!isOneOf(one['kind'], KINDS)) faults.push(`kind is ${shown(one['kind'])}; one of ${KINDS.join(', ')}`)
  return [
    ...faults,
    ...partFaults(one),
    ...portFaults(one['ports']),
    ...callFaults(one['calls']),
    ...bucketFaults(one['buckets']),
    ...usesFaults(one),
    ...scaleFaults(one),
  ]
}

function partFaults({ service, tool, kind }: Readonly<Record<string, unknown>>): string[] {
  const faults: string[] = []
  if ((service === undefined) === (tool === undefined))
    faults.push('it is either a service or a tool; give one of both')
  if (service !== undefined && !(isObject(service) && isObject(service['handlers']) && isObject(service['replies'])))
    faults.push(`service is ${shown(service)}; what defineService(…) returns`)
  if (tool !== undefined && !isOneOf(tool, TOOLS)) faults.push(`tool is ${shown(tool)}; one of ${TOOLS.join(', ')}`)
  if (service !== undefined && kind === 'Job') faults.push('a service does not end, so it is no Job')
  if (tool === 'provision' && kind !== 'Job') faults.push('provision ends when all is there; make it a Job')
  return faults
}

function portFaults(ports: unknown): string[] {
  if (!isObject(ports)) return [`ports is ${shown(ports)}; an object of health and http, empty if it serves nothing`]
  const faults: string[] = []
  for (const [name, port] of Object.entries(ports).filter(([, value]) => value !== undefined)) {
    if (!PORTS.includes(name)) faults.push(`ports.${name} is unknown; there are ${PORTS.join(' and ')}`)
    else if (!isWhole(port, 1024, 65_535))
      faults.push(`ports.${name} is ${shown(port)}; 1024 to 65535, as the process is nobody special`)
  }
  const { health, http } = ports
  if (health !== undefined && health === http) faults.push(`ports.health and ports.http are both ${shown(health)}`)
  return faults
}

function callFaults(calls: unknown): string[] {
  if (calls === undefined) return []
  if (!Array.isArray(calls)) return [`calls is ${shown(calls)}; a list of ${CALLEES.join(', ')}`]
  return (calls as readonly unknown[])
    .filter((one) => !isOneOf(one, CALLEES))
    .map((one) => `calls has ${shown(one)}; there are ${CALLEES.join(', ')}`)
}

function bucketFaults(buckets: unknown): string[] {
  if (buckets === undefined) return []
  if (!Array.isArray(buckets)) return [`buckets is ${shown(buckets)}; a list of { name, maxBytes }`]
  return (buckets as readonly unknown[]).flatMap((one) => {
    if (!isObject(one) || !isMatch(one['name'], BUCKET))
      return [`buckets has ${shown(one)}; { name } of A-Z, 0-9, _ and -`]
    const { name, maxBytes } = one
    if (maxBytes === undefined || isWhole(maxBytes, 1)) return []
    return [`bucket ${shown(name)}: maxBytes is ${shown(maxBytes)}; a whole number of bytes`]
  })
}

function usesFaults({ uses, service, tool }: Readonly<Record<string, unknown>>): string[] {
  if (uses === undefined) return []
  if (!isObject(uses)) return [`uses is ${shown(uses)}; an object of ${Object.keys(USES).join(', ')} and spool`]
  if (tool === 'console') return consoleFaults(uses)
  const faults = service === undefined ? ['uses is of services; a tool has what it needs'] : []
  for (const [name, value] of Object.entries(uses).filter(([, given]) => given !== undefined)) {
    const kinds = USES[name]
    if (name === 'spool')
      faults.push(...(typeof value === 'boolean' ? [] : [`uses.spool is ${shown(value)}; true or false`]))
    else if (!kinds) faults.push(`uses.${name} is unknown; there are ${Object.keys(USES).join(', ')} and spool`)
    else if (!Array.isArray(value) || !value.every((one) => isDeclared(one, ...kinds)))
      faults.push(`uses.${name} is a list of what ${kinds.map((kind) => `${kind}(…)`).join(' or ')} returns`)
  }
  return faults
}

const consoleFaults = (uses: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(uses).flatMap(([name, value]) =>
    name === 'sendsEvents' && (value === undefined || typeof value === 'boolean')
      ? []
      : [`uses.${name} is ${shown(value)}; a console has sendsEvents alone, true or false`],
  )

/** What each list is of. */
const USES: Readonly<Record<string, readonly string[]>> = {
  asks: ['request'],
  delays: ['event', 'command'],
  reads: ['stream'],
}

const BUCKET = /^[A-Z][A-Z0-9_-]{0,63}$/

function scaleFaults({ scale, kind, service }: Readonly<Record<string, unknown>>): string[] {
  if (scale === undefined) return []
  const faults: string[] = []
  if (!isObject(scale) || !isWhole(scale['most'], 1) || !isWithin(scale['most'], 1, 1000))
    faults.push(`scale is ${shown(scale)}; { most }, 1 to 1000 copies`)
  const handlers = isObject(service) && isObject(service['handlers']) ? service['handlers'] : {}
  if (Object.keys(handlers).length === 0)
    faults.push('it handles no messages, so nothing says when to scale it; leave scale out')
  if (kind !== 'Deployment') faults.push('only a Deployment is scaled')
  return faults
}

function repeatFaults(list: readonly unknown[]): string[] {
  const workloads = list.filter((one) => isObject(one))
  const services = workloads.map(({ service }) => service).filter((one) => isObject(one))
  return [
    ...repeated(workloads.map(({ name }) => name)).map((name) => `two workloads have the name ${shown(name)}`),
    ...repeated(services.map(({ name }) => name)).map(
      (name) => `two workloads run the service ${shown(name)}; scale one`,
    ),
  ]
}

const repeated = (values: readonly unknown[]): unknown[] => [
  ...new Set(values.filter((value, at) => value !== undefined && values.indexOf(value) !== at)),
]

const isOneOf = (value: unknown, all: readonly string[]): boolean => typeof value === 'string' && all.includes(value)
