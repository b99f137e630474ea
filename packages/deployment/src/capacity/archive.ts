import type { Load } from './load.ts'
import type { Sheet } from './sheet.ts'

const US = 1_000_000
/** Of the archive's defaults (@malha/archive, options.ts): rows of a full insert, and time between two that are not full. */
const BATCH_ROWS = 10_000
const PACE_MS = 250
const TTL_WORDS = 'its table forgets events after 13 months; change its TTL for another time'

/** ClickHouse, and the process that fills it. */
export function planArchive(load: Load, sheet: Sheet): void {
  const { eventsPerSecond, streams, bytes, archiveMs } = load
  if (archiveMs === 0) return
  sheet.figure(
    { group: 'one event', what: 'archived', unit: 'bytes', how: rowWords(load) },
    (read) =>
      read('rowBytes') +
      (load.keys > 0 ? read('rowKeyBytes') : 0) +
      (load.traced ? read('rowTraceBytes') : 0) +
      bytes * (load.compression ?? read('payloadShare')),
  )
  sheet.figure(
    { group: 'archive', what: 'disk of ClickHouse', unit: 'bytes', how: `one copy; ${TTL_WORDS}` },
    (read) => ((eventsPerSecond * archiveMs) / 1000) * read.sum('archived'),
  )
  sheet.limit(
    {
      what: 'disk of ClickHouse',
      unit: 'bytes',
      remedy: 'a larger disk, a shorter TTL of archive.events, or a ClickHouse cluster',
    },
    (read) => ({ need: read.sum('disk of ClickHouse'), most: load.archiveDiskBytes }),
  )
  const each = eventsPerSecond / streams
  sheet.figure(
    {
      group: 'archive',
      what: 'inserts',
      unit: '/s',
      how: `one each ${PACE_MS} ms a stream, or one of ${BATCH_ROWS.toLocaleString('en')} rows; each is a part to merge`,
    },
    () => streams * Math.max(Math.min(1000 / PACE_MS, each), each / BATCH_ROWS),
  )
  sheet.figure(
    { group: 'archive', what: 'CPU of ClickHouse for inserts', unit: 'cores', how: 'merges and queries come on top' },
    (read) => (eventsPerSecond * byBytes(bytes, read('insertCpu'), read('insertCpuKiB'))) / US,
  )
  sheet.limit(
    {
      what: 'archive, which has one writer a stream',
      unit: '/s',
      remedy: 'spread events over more streams: each has a writer of its own',
    },
    (read) => ({ need: each, most: US / byBytes(bytes, US / read('archiveRate'), US / read('archiveRateKiB')) }),
  )
}

/** As it grows from 128 bytes to 1 KiB. */
const byBytes = (bytes: number, small: number, large: number): number =>
  Math.max(small / 2, small + ((large - small) * (bytes - 128)) / (1024 - 128))

const rowWords = ({ compression, bytes }: Load): string =>
  compression === undefined
    ? `columns and indexes, and ${bytes} bytes of payload, compressed as varied JSON is`
    : `columns and indexes, and ${Math.round(compression * 100)} % of ${bytes} bytes of payload`
