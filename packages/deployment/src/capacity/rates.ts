import type { AsMade } from './as-made.ts'
import type { Load } from './load.ts'
import type { Read, Sheet } from './sheet.ts'
import type { Spread } from './spread.ts'

const US = 1_000_000
const SMALL = 128
const KIB = 1024

type Parts = { readonly spread: Spread; readonly made: AsMade; readonly sheet: Sheet }

/** What has to hold in the busiest second. */
export function planRates(load: Load, parts: Parts): void {
  const { sheet } = parts
  const perSecond = load.eventsPerSecond * load.peak
  planPublishes(load, perSecond, sheet)
  if (load.inboxHandlers > 0) planInbox(load, perSecond, sheet)
  planCpu(load, perSecond, parts)
  planNetwork(load, perSecond, parts)
  if (load.handlers > 0) planHandling(load, perSecond, parts)
}

function planPublishes(load: Load, perSecond: number, sheet: Sheet): void {
  const each = perSecond / load.streams
  const sync = load.syncAlways ? 'each synced to the disk' : 'synced every two minutes'
  sheet.figure(
    {
      group: 'rates',
      what: 'publishes that one stream takes',
      unit: '/s',
      how: `${replicaWords(load)}, ${sync}, measured with one publisher`,
    },
    (read) => US / publishUs(load, read),
  )
  sheet.figure({ group: 'rates', what: 'publishes, each stream', unit: '/s', how: 'in the busiest second' }, () => each)
  sheet.limit(
    {
      what: 'publishes of one stream',
      unit: '/s',
      remedy: 'spread events over more streams, each with a leader of its own',
    },
    (read) => ({ need: each, most: US / publishUs(load, read) }),
  )
}

/** All records of a namespace are in one stream. */
function planInbox(load: Load, perSecond: number, sheet: Sheet): void {
  sheet.limit(
    {
      what: 'records of MESH_INBOX, one stream',
      unit: '/s',
      remedy: 'fewer handlers with an inbox, or a namespace of their own for some of them',
    },
    (read) => ({ need: perSecond * load.inboxHandlers, most: US / publishUs({ ...load, bytes: SMALL }, read) }),
  )
}

/** Time of one publish among many that are under way, µs: the measured curve of one server, as much longer as replicas took. */
function publishUs({ bytes, replicas, syncAlways }: Load, read: Read): number {
  const rates = replicas === 1 ? (['publishR1', 'publishR1KiB'] as const) : (['publishR3', 'publishR3KiB'] as const)
  const [small, large] = rates.map((name, at) => US / read(name) / read.curve('publishUs', at === 0 ? SMALL : KIB)) as [
    number,
    number,
  ]
  const synced = syncAlways ? read(replicas === 1 ? 'syncShareR1' : 'syncShareR3') : 1
  return (read.curve('publishUs', bytes) * between(bytes, small, large)) / synced
}

/** From one value at 128 bytes to another at 1 KiB; the same beyond. */
function between(bytes: number, small: number, large: number): number {
  const share = Math.min(1, Math.max(0, (bytes - SMALL) / (KIB - SMALL)))
  return small + (large - small) * share
}

/** A price that grows with each byte as it does from 128 bytes to 1 KiB. */
const growing = (bytes: number, small: number, large: number): number =>
  Math.max(0, small + ((large - small) * (bytes - SMALL)) / (KIB - SMALL))

function planCpu(load: Load, perSecond: number, { spread, sheet }: Parts): void {
  const { bytes, handlers } = load
  const one = load.replicas === 1
  sheet.figure(
    {
      group: 'rates',
      what: 'CPU of the busiest server',
      unit: 'cores',
      how: `storing, ${handlers === 1 ? 'a delivery and its ack' : `${handlers} deliveries and acks`}${load.archiveMs > 0 ? ', and reading for the archive' : ''}`,
    },
    (read) => {
      const price = (small: number, large: number): number => growing(bytes, small, large)
      const publish = one
        ? price(read('publishCpuR1'), read('publishCpuR1KiB'))
        : price(read('publishCpuR3'), read('publishCpuR3KiB'))
      const consume = one
        ? price(read('consumeCpuR1'), read('consumeCpuR1KiB'))
        : price(read('consumeCpuR3'), read('consumeCpuR3KiB'))
      const archive = load.archiveMs > 0 ? price(read('archiveReadCpu'), read('archiveReadCpuKiB')) : 0
      const us = publish + handlers * consume + archive
      return ((perSecond * us) / US) * spread.cpu(read('leaderShare'))
    },
  )
  sheet.limit(
    {
      what: 'CPU of a nats-server',
      unit: 'cores',
      remedy: 'more cores, or more servers and streams, so that leaders are spread',
    },
    (read) => ({ need: read.sum('CPU of the busiest server'), most: load.cores }),
  )
}

function planNetwork(load: Load, perSecond: number, { spread, sheet }: Parts): void {
  const readers = load.handlers + (load.archiveMs > 0 ? 1 : 0)
  const incoming = perSecond * spread.holds
  const outgoing = perSecond * spread.leads * (load.replicas - 1 + readers)
  sheet.figure(
    {
      group: 'rates',
      what: 'network of the busiest server',
      unit: 'bytes/s',
      how: `${load.replicas - 1} replicas and ${readers} readers of what it leads, or all that comes in`,
    },
    (read) => Math.max(incoming, outgoing) * read.sum('stored'),
  )
  sheet.limit(
    {
      what: 'network of a nats-server',
      unit: 'bytes/s',
      remedy: 'a faster network, or more servers and streams; fewer handlers read each event',
    },
    (read) => ({ need: read.sum('network of the busiest server'), most: load.networkBytesPerSecond }),
  )
}

function planHandling(load: Load, perSecond: number, { made, sheet }: Parts): void {
  const { handlerMs, keys, streams } = load
  const atOnce = (perSecond * handlerMs) / 1000
  if (load.ordered)
    sheet.limit(
      {
        what: 'one key, whose events wait for each other',
        unit: '/s',
        remedy: 'shorter calls, or finer keys: no number of instances helps one key',
      },
      () => ({ need: perSecond / keys, most: handlerMs === 0 ? Infinity : 1000 / handlerMs }),
    )
  else
    sheet.limit(
      {
        what: 'calls under way of one handler',
        unit: '',
        remedy: 'raise its concurrency (max_ack_pending follows), or give types handlers of their own',
      },
      () => ({ need: atOnce / streams, most: made.inHand }),
    )
}

const replicaWords = ({ replicas, bytes }: Load): string =>
  `${bytes} bytes, ${replicas === 1 ? 'one replica' : `${replicas} replicas`}${replicas > 3 ? ' (measured with 3)' : ''}`
