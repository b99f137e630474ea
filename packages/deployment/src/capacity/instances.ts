import type { Load } from './load.ts'
import type { Read, Sheet } from './sheet.ts'

const US = 1_000_000

/** Instances that each handler needs. */
export function handlerInstances(load: Load, sheet: Sheet): number {
  const { eventsPerSecond, peak, handlerMs, concurrency, bytes } = load
  if (load.handlers === 0) return 0
  const perSecond = eventsPerSecond * peak
  return sheet.figure(
    {
      group: 'handlers',
      what: 'instances, each handler',
      unit: '',
      how: `${handlerMs} ms a call, ${concurrency} at once an instance, or the CPU the mesh takes; busy for 70 % of the time`,
    },
    (read) => {
      const byTime = (perSecond * handlerMs) / 1000 / concurrency
      const byCpu = (perSecond * handleUs(load, bytes, read)) / US
      return Math.max(1, Math.ceil(Math.max(byTime, byCpu) / read('busyShare')))
    },
  )
}

/** One core, µs an event, of a handler that does nothing itself. */
const handleUs = ({ ordered }: Load, bytes: number, read: Read): number =>
  ordered
    ? // Of events of 128 bytes; larger ones take as much more as they do without order.
      read('orderedUs') + read.curve('handleUs', bytes) - read.curve('handleUs', 128)
    : read.curve('handleUs', bytes)
