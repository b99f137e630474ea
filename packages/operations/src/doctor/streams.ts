import type { StreamConfig, StreamInfo } from '@nats-io/jetstream'
import type { Facts } from './facts.ts'
import { type Finding, findingsOf } from './finding.ts'

const { ok, warn, fail } = findingsOf('streams')

/** The format of the wire that this release knows. */
const FORMAT = '1'
const SHOWN = 5
const NEARLY_FULL = 0.7
const ALMOST_FULL = 0.9

/** Settings that what the mesh promises hangs on, by kind of stream; docs/reference/wire.md. */
const SETTINGS: Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>> = {
  events: { retention: 'limits', discard: 'new', allow_atomic: true },
  mesh: { retention: 'limits', discard: 'old' },
  'dead-letters': {
    retention: 'limits',
    discard: 'new',
    max_msgs_per_subject: 1,
    discard_new_per_subject: true,
    max_age: 0,
  },
  operations: { retention: 'limits', discard: 'new', max_age: 0 },
  advisories: { retention: 'limits', discard: 'old' },
  lanes: { retention: 'workqueue', allow_msg_schedules: true, max_age: 0, max_bytes: -1 },
  delays: { retention: 'workqueue', allow_msg_schedules: true, max_age: 0, max_bytes: -1 },
}

/** What each stream that the mesh knows is like. Pure. */
export function checkStreams({ streams, leaderless }: Pick<Facts, 'streams' | 'leaderless'>): Finding[] {
  const known = streams.filter(({ config }) => config.metadata?.['malha.kind'] !== undefined)
  const found = [
    ...leaderless.map((name) =>
      fail(
        name,
        'it has no leader: nothing is stored or delivered there',
        'bring its servers back, or see nats stream report',
      ),
    ),
    ...known.flatMap(checkStream),
    ...replicasBehind(known),
  ]
  if (known.length === 0 && leaderless.length === 0)
    return [warn('streams', 'there is no stream of the mesh', 'start a service, or see whether --namespace is right')]
  return found.length > 0 ? found : [ok('streams', `${known.length}, all as they should be`)]
}

function checkStream({ config, state, cluster }: StreamInfo): Finding[] {
  const { name, metadata = {} } = config
  const kind = metadata['malha.kind'] ?? ''
  const found: Finding[] = []
  if (metadata['malha.format'] !== FORMAT)
    found.push(
      fail(
        name,
        `it is of format ${metadata['malha.format'] ?? 'none'}, this release knows ${FORMAT}`,
        'upgrade malha, and read docs/reference/wire.md',
      ),
    )
  if (metadata['malha.owner'] === undefined)
    found.push(
      fail(
        name,
        'its metadata say no owner (malha.owner): no service starts with it',
        `nats stream edit ${name} --metadata malha.owner=malha`,
      ),
    )
  if (config.sealed)
    found.push(
      fail(
        name,
        'it is sealed: nothing can be stored there, ever',
        'make another stream, and declare it in the contracts',
      ),
    )
  found.push(...drift(config, kind))
  if (cluster && cluster.leader === undefined)
    found.push(
      fail(
        name,
        'it has no leader: nothing is stored or delivered there',
        'bring its servers back, or see nats stream report',
      ),
    )
  const share = config.max_bytes > 0 ? state.bytes / config.max_bytes : 0
  if (share >= NEARLY_FULL && config.discard === 'new') {
    const what = `it is ${Math.floor(share * 100)} % full; a full stream refuses its publishers`
    const fix = 'raise maxBytes in its declaration with a higher revision, or lower maxAgeMs'
    found.push(share >= ALMOST_FULL ? fail(name, what, fix) : warn(name, what, fix))
  }
  return found
}

/** One a server: when it is away, it is so for all its streams. */
function replicasBehind(streams: readonly StreamInfo[]): Finding[] {
  const behind = new Map<string, string[]>()
  for (const { config, cluster } of streams)
    for (const { name, offline, current } of cluster?.replicas ?? [])
      if (offline || !current) behind.set(name, [...(behind.get(name) ?? []), config.name])
  return [...behind].map(([server, names]) => {
    const some = names.length > SHOWN ? `${names.slice(0, SHOWN).join(', ')} …` : names.join(', ')
    return warn(
      `server ${server}`,
      `its replicas of ${names.length} streams are offline or behind: ${some}`,
      `bring ${server} back, and let it catch up: nats stream report`,
    )
  })
}

function drift(config: StreamConfig, kind: string): Finding[] {
  const given = config as unknown as Record<string, string | number | boolean | undefined>
  return Object.entries(SETTINGS[kind] ?? {}).flatMap(([setting, wanted]) => {
    // The server leaves out what is false, or 0.
    const is = given[setting] ?? (typeof wanted === 'boolean' ? false : 0)
    if (is === wanted) return []
    const how = ['retention', 'max_msgs_per_subject'].includes(setting)
      ? 'it cannot be changed on the server: make the stream again, and let its services fill it'
      : `start a service with a higher revision of its declaration, or: nats stream edit ${config.name}`
    return [fail(config.name, `${setting} is ${String(is)}, and must be ${String(wanted)} (${kind})`, how)]
  })
}
