import { days } from '@malha/mesh'
import type { AsMade } from './as-made.ts'
import type { Load } from './load.ts'
import type { Read, Sheet } from './sheet.ts'
import type { Spread } from './spread.ts'

/** What one event takes, and how many of each kind there are at any time. */
export type Stored = {
  /** Of one event in its stream, bytes. */
  readonly eventBytes: number
  readonly events: number
  readonly markers: number
  readonly letters: number
  readonly waiting: number
  /** Records of inboxes. */
  readonly records: number
}

/** Above this share of `maxBytes` a stream is alarming (@malha/operations, notify). */
const ALARM_SHARE = 0.7

type Parts = { readonly spread: Spread; readonly made: AsMade; readonly sheet: Sheet }

/** Everything on the disks of nats-servers. */
export function planStorage(load: Load, parts: Parts): Stored {
  const { spread, sheet } = parts
  const { eventsPerSecond, retentionMs, replicas, servers } = load
  const inSeconds = (ms: number): number => (eventsPerSecond * ms) / 1000
  const stored: Stored = {
    eventBytes: planEvent(load, sheet),
    events: inSeconds(retentionMs),
    markers: inSeconds(retentionMs) * load.onceHandlers,
    letters: inSeconds(load.lettersKeptMs) * load.handlers * load.deadLetterShare,
    waiting: inSeconds(load.delayMs) * load.delayShare,
    records: inSeconds(load.inboxKeptMs) * load.inboxHandlers,
  }
  const whats = replicaParts(load, stored, parts)
  sheet.figure(
    { group: 'storage', what: 'each server', unit: 'bytes', how: shareWords(load) },
    (read) => read.sum(...whats) * spread.holds * read('diskShare'),
  )
  sheet.figure(
    { group: 'storage', what: 'all servers', unit: 'bytes', how: `${replicas} replicas on ${servers} servers` },
    (read) => read.sum(...whats) * replicas * read('diskShare'),
  )
  sheet.limit(
    {
      what: 'disk of a nats-server',
      unit: 'bytes',
      remedy: 'larger disks, a shorter retention (the archive keeps events longer), or more servers and streams',
    },
    (read) => ({ need: read.sum('each server'), most: load.diskBytes * read('usableDisk') }),
  )
  return stored
}

function planEvent({ bytes, keys, traced }: Load, sheet: Sheet): number {
  const extras = [...(keys > 0 ? ['its key'] : []), ...(traced ? ['its trace context'] : [])]
  const how = `payload, and with it ${['subject, headers, record', ...extras].join(', ')}`
  return sheet.figure(
    { group: 'one event', what: 'stored', unit: 'bytes', how },
    (read) => bytes + read('eventBytes') + (keys > 0 ? read('keyBytes') : 0) + (traced ? read('traceBytes') : 0),
  )
}

/** What is in one replica of everything; by the names of the figures. */
function replicaParts(load: Load, stored: Stored, { made, sheet }: Parts): string[] {
  const { events, markers, letters, waiting, records } = stored
  const whats: string[] = []
  const part = (what: string, how: string, compute: (read: Read) => number): void => {
    sheet.figure({ group: 'storage', what, unit: 'bytes', how }, compute)
    whats.push(what)
  }
  part('events, a replica', `${count(events)} events`, (read) => events * read.sum('stored'))
  sheet.figure(
    {
      group: 'storage',
      what: 'maxBytes to declare, each stream',
      unit: 'bytes',
      how: `so that it is ${ALARM_SHARE * 100} % full, where alarms begin; undeclared it is ${made.streamBytes / 1024 ** 3} GiB`,
    },
    (read) => (read.sum('events, a replica') + markers * read('markerBytes')) / load.streams / ALARM_SHARE,
  )
  if (markers > 0)
    part("markers of effects: 'once'", `${count(markers)} markers`, (read) => markers * read('markerBytes'))
  if (records > 0) {
    part('records of inboxes', `${count(records)} records`, (read) => records * read('inboxBytes'))
    planInbox(made, sheet)
  }
  if (waiting > 0)
    part('waiting on lanes and for later', `${count(waiting)} messages`, (read) => {
      const beside = Math.max(read('laneBytes'), read('delayBytes'))
      return waiting * (load.bytes + beside)
    })
  if (letters > 0) {
    part('dead letters', `${count(letters)} letters`, (read) => letters * (load.bytes + read('letterBytes')))
    planLetters(load, { made, sheet })
  }
  part('what the mesh says of itself', 'MESH, which evicts its oldest', () => made.meshBytes)
  return whats
}

function planLetters(
  { eventsPerSecond, handlers, deadLetterShare }: Load,
  { made, sheet }: Omit<Parts, 'spread'>,
): void {
  sheet.figure(
    {
      group: 'storage',
      what: 'what became of letters, a year',
      unit: 'bytes',
      how: 'OPERATIONS keeps it for ever, 1 GiB of it as made',
    },
    (read) => ((eventsPerSecond * days(365)) / 1000) * handlers * deadLetterShare * read('operationBytes'),
  )
  sheet.limit(
    {
      what: 'DEAD_LETTERS, which holds 1 GiB as made',
      unit: 'bytes',
      remedy: 'raise max_bytes of DEAD_LETTERS (the mesh leaves a wider one), deal with letters sooner, or reject less',
    },
    (read) => ({ need: read.sum('dead letters'), most: made.lettersBytes }),
  )
}

/** When it is full, no handler with an inbox is done with anything. */
function planInbox({ inboxBytes }: AsMade, sheet: Sheet): void {
  sheet.limit(
    {
      what: 'MESH_INBOX, which holds 1 GiB as made',
      unit: 'bytes',
      remedy:
        'raise max_bytes of KV_MESH_INBOX (the mesh leaves a wider one), a shorter keepMs, or fewer handlers with an inbox',
    },
    (read) => ({ need: read.sum('records of inboxes'), most: inboxBytes }),
  )
}

function shareWords({ streams, servers, replicas }: Load): string {
  if (replicas === servers) return 'it has a replica of everything, and what the server keeps beside it'
  const many = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`
  return `the busiest, of ${many(streams, 'stream')} with ${many(replicas, 'replica')} over ${servers}`
}

/** A number of things, in words that are short: `3,024`, `1.5 million`. */
export function count(value: number): string {
  const isLarge = value >= 1e6
  return value.toLocaleString('en', {
    notation: isLarge ? 'compact' : 'standard',
    compactDisplay: 'long',
    maximumFractionDigits: isLarge ? 1 : 0,
  })
}
