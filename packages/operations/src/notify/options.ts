import { isMatch, isWithin, type Metrics, noMetrics, shown } from '@malha/mesh'
import { OperationsError } from '../errors.ts'

/** How a message is put: as JSON with a field for each fact, or as chat programs with incoming webhooks take it (Slack, Mattermost, …). */
export type NotifyFormat = 'json' | 'slack'

export type NotifyOptions = {
  /** Where messages are posted to, http or https. Who knows it can post there: it is a secret, and stands in no log line and no error. */
  url: string
  /** @default 'json' */
  format?: NotifyFormat | undefined
  /** Base address of the console, for links to what a message is about. @default none: the command to run is said instead */
  consoleUrl?: string | undefined
  /** At most one message a group (of letters; a breaker; a handler's headroom; a stream) in this time, ms. @default 15 minutes */
  quietMs?: number | undefined
  /** A breaker that is open for so long is told of, ms. @default 5 minutes */
  breakerOpenMs?: number | undefined
  /** Told when an event that is not handled ages out within this time, ms. Of a stream that keeps events for less than twice as long: half of that. @default 1 day */
  headroomMs?: number | undefined
  /** What has not changed is told again after this time, ms: a breaker that is still open, a stream that is still full. @default 4 hours */
  remindMs?: number | undefined
  /** How often letters are looked for, ms. @default 2 seconds */
  lookMs?: number | undefined
  /** How often breakers, handlers and streams are looked at, ms. @default 30 seconds */
  watchMs?: number | undefined
  /** How long one post may take, ms. @default 10 seconds */
  timeoutMs?: number | undefined
  /** How long one message is tried before it is left for later, ms. @default 1 minute */
  giveUpMs?: number | undefined
  /** @default none */
  metrics?: Metrics | undefined
}

export type ResolvedNotify = {
  readonly [Name in Exclude<keyof NotifyOptions, 'url' | 'consoleUrl'>]-?: NonNullable<NotifyOptions[Name]>
} & {
  readonly url: URL
  readonly consoleUrl: URL | undefined
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const SHORTEST_MS = 10
const LONGEST_MS = 7 * 24 * HOUR

const DEFAULT_MS = {
  quietMs: 15 * MINUTE,
  breakerOpenMs: 5 * MINUTE,
  headroomMs: 24 * HOUR,
  remindMs: 4 * HOUR,
  lookMs: 2 * SECOND,
  watchMs: 30 * SECOND,
  timeoutMs: 10 * SECOND,
  giveUpMs: MINUTE,
} as const

/** @throws OperationsError OPERATIONS_INVALID_OPTIONS with every fault; never with the address */
export function resolveNotify(options: NotifyOptions): ResolvedNotify {
  const faults: string[] = []
  const { format = 'json', metrics = noMetrics } = options
  const url = addressOf(options.url, 'url', faults)
  const consoleUrl = options.consoleUrl === undefined ? undefined : addressOf(options.consoleUrl, 'consoleUrl', faults)
  if (!isMatch(format, /^(json|slack)$/)) faults.push(`format is ${shown(format)}; json or slack`)
  const times = Object.fromEntries(
    Object.entries(DEFAULT_MS).map(([name, standard]) => {
      const value = options[name as keyof typeof DEFAULT_MS] ?? standard
      if (!isWithin(value, SHORTEST_MS, LONGEST_MS))
        faults.push(`${name} is ${shown(value)}; ${SHORTEST_MS} to ${LONGEST_MS}`)
      return [name, value]
    }),
  ) as Record<keyof typeof DEFAULT_MS, number>
  if (faults.length > 0 || !url) throw new OperationsError('OPERATIONS_INVALID_OPTIONS', faults.join('; '))
  return { url, consoleUrl, format, metrics, ...times }
}

function addressOf(text: unknown, name: string, faults: string[]): URL | undefined {
  const url = typeof text === 'string' ? URL.parse(text.trim()) : null
  if (!url || !/^https?:$/.test(url.protocol)) faults.push(`${name} is no http(s) address`)
  else if (url.username || url.password)
    faults.push(`${name} has a user or password before its host; neither would be sent`)
  else return url
  return undefined
}
