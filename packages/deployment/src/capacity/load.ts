import { days, isObject, isWhole, isWithin, shown } from '@malha/mesh'
import { DeploymentError } from '../errors.ts'

/** What a mesh is to carry, and on what. Everything but the first three has a default. */
export type LoadOptions = {
  /** Events published a second, all streams together, on average. */
  eventsPerSecond: number
  /** Payload of one event, bytes: what is stored beside it is added. */
  bytes: number
  /** How long streams keep events, ms. */
  retentionMs: number
  /** The busiest second, as a multiple of the average: rates have to hold it, storage does not. @default 1 */
  peak?: number
  /** Event streams the load is spread over, evenly. @default 1 */
  streams?: number
  /** Handlers that each event reaches. @default 1 */
  handlers?: number
  /** How long a handler takes for one event, ms. @default 10 */
  handlerMs?: number
  /** How many events one instance of a handler works on at once. @default 16 */
  concurrency?: number
  /** How many keys there are; 0: events have none. @default 0 */
  keys?: number
  /** Handlers keep the order of keys (`order: 'key'`). @default false */
  ordered?: boolean
  /** Handlers of each event with `effects: 'once'`, which leave a marker each. @default 0 */
  onceHandlers?: number
  /** Handlers of each event with an `inbox`, which record each message they are done with. @default 0 */
  inboxHandlers?: number
  /** How long they keep a record (`inbox.keepMs`), ms. @default 1 day */
  inboxKeptMs?: number
  /** Events carry a trace context. @default true */
  traced?: boolean
  /** Share of calls that end in a dead letter, 0 to 1. @default 0 */
  deadLetterShare?: number
  /** How long a letter lies until somebody deals with it, ms. @default 7 days */
  lettersKeptMs?: number
  /** Share of events that wait: on a lane for a retry, or because they were published for later. @default 0 */
  delayShare?: number
  /** How long those wait, ms. @default 1 minute */
  delayMs?: number
  /** How long the archive keeps events, ms; 0: no archive. @default 396 days, the archive's 13 months */
  archiveMs?: number
  /** What is left of a payload in the archive, 0 to 1; 1: it cannot be compressed. @default as measured with JSON */
  compression?: number | undefined
  /** Of every stream: 1, 3 or 5. @default 3 */
  replicas?: number
  /** nats-servers. @default 3, and no fewer than replicas */
  servers?: number
  /** Of each server. @default 2 */
  cores?: number
  /** Of each server, bytes. @default 8 GiB */
  memoryBytes?: number
  /** Of each server, bytes. @default 100 GiB */
  diskBytes?: number
  /** Of each server, bytes a second in each direction. @default 125 MB/s, which is 1 Gbit/s */
  networkBytesPerSecond?: number
  /** Of ClickHouse, bytes. @default 500 GiB */
  archiveDiskBytes?: number
  /** Servers run with `sync_interval: always`. @default true, as in deploy/helm-values/nats.yaml */
  syncAlways?: boolean
}

/** A load with its defaults filled in. */
export type Load = {
  readonly [Name in Exclude<keyof LoadOptions, 'compression'>]-?: NonNullable<LoadOptions[Name]>
} & {
  readonly compression: number | undefined
}

const GIB = 1024 ** 3
const MOST_REPLICAS = 5

const DEFAULTS = {
  peak: 1,
  streams: 1,
  handlers: 1,
  handlerMs: 10,
  concurrency: 16,
  keys: 0,
  ordered: false,
  onceHandlers: 0,
  inboxHandlers: 0,
  inboxKeptMs: days(1),
  traced: true,
  deadLetterShare: 0,
  lettersKeptMs: days(7),
  delayShare: 0,
  delayMs: 60_000,
  archiveMs: days(396),
  compression: undefined,
  replicas: 3,
  servers: 3,
  cores: 2,
  memoryBytes: 8 * GIB,
  diskBytes: 100 * GIB,
  networkBytesPerSecond: 125_000_000,
  archiveDiskBytes: 500 * GIB,
  syncAlways: true,
} as const

/** nats-server's own, which the client keeps to: larger payloads are refused. */
const MAX_PAYLOAD = 1024 ** 2

/** Something that is wrong with an option of a load, and what would be right. */
export type LoadFault = { readonly option: string; readonly fault: string }

/** Fills in what is not given. @throws DeploymentError DEPLOYMENT_LOAD with every fault */
export function resolveLoad(given: LoadOptions): Load {
  if (!isObject(given)) throw new DeploymentError('DEPLOYMENT_LOAD', `it is ${shown(given)}; an object`)
  const faults = loadFaults(given).map(({ option, fault }) => `\n  - ${option} ${fault}`)
  if (faults.length === 0) return Object.freeze(withDefaults(given))
  throw new DeploymentError(
    'DEPLOYMENT_LOAD',
    `${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}${faults.join('')}`,
  )
}

function withDefaults(given: LoadOptions): Load {
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as LoadOptions
  const { replicas = DEFAULTS.replicas } = said
  const servers = replicas === 1 ? 1 : Math.max(DEFAULTS.servers, isWhole(replicas, 1, MOST_REPLICAS) ? replicas : 1)
  return { ...DEFAULTS, servers, ...said }
}

type NumberName = { [Name in keyof Load]: Load[Name] extends number | undefined ? Name : never }[keyof Load]

/** Least and most. */
const BOUNDS: { readonly [Name in NumberName]: readonly [least: number, most: number, whole?: true] } = {
  eventsPerSecond: [0.001, 1e9],
  bytes: [0, MAX_PAYLOAD, true],
  retentionMs: [1000, days(36_500)],
  peak: [1, 1000],
  streams: [1, 1000, true],
  handlers: [0, 1000, true],
  handlerMs: [0, 3_600_000],
  concurrency: [1, 100_000, true],
  keys: [0, 1e12, true],
  onceHandlers: [0, 1000, true],
  inboxHandlers: [0, 1000, true],
  inboxKeptMs: [0, days(36_500)],
  deadLetterShare: [0, 1],
  lettersKeptMs: [0, days(36_500)],
  delayShare: [0, 1],
  delayMs: [0, days(366)],
  archiveMs: [0, days(36_500)],
  compression: [0, 1],
  replicas: [1, MOST_REPLICAS, true],
  servers: [1, 1000, true],
  cores: [0.1, 1024],
  memoryBytes: [1024 ** 2, 1024 ** 5],
  diskBytes: [1024 ** 2, 1024 ** 6],
  networkBytesPerSecond: [1000, 1e12],
  archiveDiskBytes: [1024 ** 2, 1024 ** 6],
}

/** All that is wrong with what was given as a load, which may be anything. Pure. */
export function loadFaults(given: Readonly<Partial<LoadOptions>>): LoadFault[] {
  const load = withDefaults(given as LoadOptions)
  const faults: LoadFault[] = Object.keys(given)
    .filter((option) => !Object.hasOwn(BOUNDS, option) && !FLAGS.has(option))
    .map((option) => ({ option, fault: 'is no part of a load' }))
  const tell = (option: keyof LoadOptions, right: string): void =>
    void faults.push({ option, fault: `is ${shown(load[option])}; ${right}` })
  for (const [name, [least, most, whole]] of Object.entries(BOUNDS)) {
    const option = name as NumberName
    const value = load[option]
    if (option === 'compression' && value === undefined) continue
    if (!(whole ? isWhole(value, least, most) : isWithin(value, least, most)))
      tell(option, `a ${whole ? 'whole ' : ''}number from ${least} to ${most}`)
  }
  for (const name of FLAGS) {
    const option = name as 'traced'
    if (typeof load[option] !== 'boolean') tell(option, 'true or false')
  }
  // Values that mean something each may still contradict each other.
  const means = (...options: (keyof LoadOptions)[]): boolean =>
    !faults.some(({ option }) => options.includes(option as keyof LoadOptions))
  if (means('replicas') && load.replicas % 2 === 0) tell('replicas', '1, 3 or 5')
  if (means('servers', 'replicas') && load.servers < load.replicas)
    tell('servers', `${load.replicas} or more: each replica is on a server of its own`)
  if (means('keys', 'ordered') && load.ordered && load.keys === 0)
    tell('keys', 'how many there are, where their order is kept')
  for (const some of ['onceHandlers', 'inboxHandlers'] as const)
    if (means('handlers', some) && load[some] > load.handlers)
      tell(some, `${load.handlers} at most, which is how many handlers there are`)
  return faults
}

const FLAGS: ReadonlySet<string> = new Set(['ordered', 'traced', 'syncAlways'])
