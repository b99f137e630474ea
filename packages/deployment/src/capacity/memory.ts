import type { AsMade } from './as-made.ts'
import type { Assets } from './assets.ts'
import type { Load } from './load.ts'
import type { Read, Sheet } from './sheet.ts'
import type { Spread } from './spread.ts'
import { count, type Stored } from './stored.ts'

type Parts = {
  readonly spread: Spread
  readonly stored: Stored
  readonly made: AsMade
  readonly assets: Assets
  readonly sheet: Sheet
}

/** Go collects when its heap has doubled, unless it nears GOMEMLIMIT. */
const HEAP_TO_USED = 2

/** What a nats-server holds in memory, which is not its messages: what it knows of them. */
export function planMemory(load: Load, parts: Parts): void {
  const { spread, stored, sheet } = parts
  const fixed = fixedParts(load, parts)
  const growing = growingParts(load, parts)
  sheet.figure(
    {
      group: 'memory',
      what: 'heap of a server',
      unit: 'bytes',
      how: 'twice what is in use: Go collects when it has doubled',
    },
    (read) => HEAP_TO_USED * read.sum(...fixed, ...growing),
  )
  sheet.limit(
    {
      what: 'memory of a nats-server',
      unit: 'bytes',
      remedy:
        "more memory, a shorter duplicateWindowMs, no effects: 'once' where ids are enough, or more servers and streams",
    },
    (read) => ({
      need: read.sum('heap of a server'),
      most: load.memoryBytes * read('goMemory'),
      fixed: HEAP_TO_USED * read.sum(...fixed),
    }),
  )
  sheet.figure(
    {
      group: 'memory',
      what: 'lag that is read from memory',
      unit: 'ms',
      how: 'what the heap leaves is page cache: a handler further behind reads the disk',
    },
    (read) => {
      const left = Math.max(0, load.memoryBytes - read.sum('heap of a server'))
      return (1000 * left) / (load.eventsPerSecond * stored.eventBytes * spread.holds)
    },
  )
}

/** What does not grow with the rate of events; names of figures. */
function fixedParts(load: Load, { spread, stored, assets, sheet }: Parts): string[] {
  const { replicas, servers, keys } = load
  const { streams, durables } = assets
  const subjects = Math.min(keys, stored.events)
  return parts(sheet, [
    [
      'the server, streams and durables',
      `${streams} streams, ${durables} durables`,
      (read) => read('serverBytes') + (replicas / servers) * (streams + durables) * read('assetBytes'),
    ],
    ...(replicas === 1
      ? []
      : [
          [
            'raft groups',
            `one for each of them, ${count(((streams + durables) * replicas) / servers)}`,
            (read: Read) => (replicas / servers) * (streams + durables) * read('raftBytes'),
          ] as const,
        ]),
    ['subjects', `${count(subjects)} keys, a subject each`, (read) => subjects * spread.holds * read('subjectBytes')],
    [
      'blocks just written',
      replicas === 1
        ? 'of each stream the last one, for ten seconds'
        : 'of each stream the last one, and of its raft log, for ten seconds',
      (read) => load.streams * spread.holds * (read('cacheBytes') + (replicas === 1 ? 0 : read('raftCacheBytes'))),
    ],
  ])
}

function growingParts(load: Load, { spread, stored, made, sheet }: Parts): string[] {
  const { markers, letters, waiting, records } = stored
  const perSecond = load.eventsPerSecond * load.peak
  const ids = (perSecond * made.duplicateWindowMs) / 1000
  const all: Part[] = [
    [
      'ids of the duplicate window',
      `${made.duplicateWindowMs / 60_000} minutes of events, ${count(ids)}`,
      (read) => ids * spread.holds * read('idBytes'),
    ],
  ]
  const own = (what: string, many: number): void => {
    if (many > 0)
      all.push([what, `${count(many)}, a subject each`, (read) => many * spread.holds * read('ownSubjectBytes')])
  }
  own('markers', markers)
  own('letters', letters)
  if (records > 0)
    all.push([
      'records of inboxes, in memory',
      `${count(records)}, a subject and a time to live each`,
      (read) => records * spread.holds * read('inboxHeapBytes'),
    ])
  if (waiting > 0)
    all.push([
      'schedules',
      `${count(waiting)} messages that wait, a subject each`,
      (read) => waiting * spread.holds * read('scheduleBytes'),
    ])
  return parts(sheet, all)
}

type Part = readonly [what: string, how: string, compute: (read: Read) => number]

function parts(sheet: Sheet, all: readonly Part[]): string[] {
  return all.map(([what, how, compute]) => {
    sheet.figure({ group: 'memory', what, unit: 'bytes', how }, compute)
    return what
  })
}
