import type { LoadOptions } from '@malha/deployment'
import { days, hours, minutes, seconds } from '@malha/mesh'

const KIB = 1024
const GIB = 1024 ** 3
const TIB = 1024 ** 4

/** The loads of docs/how-to/plan-the-capacity.md, by the names of their tables, with what is typed for each. */
export const examples: Readonly<Record<string, { command: string; load: LoadOptions }>> = {
  center: {
    command:
      'malha capacity --events-per-second 5 --bytes 2KiB --retention 30d --streams 3 --handlers 2 --handler-time 300ms \\\n' +
      '  --keys 50k --peak 5 --delayed 5% --delay 10m --dead-letters 0.1%',
    load: {
      eventsPerSecond: 5,
      bytes: 2 * KIB,
      retentionMs: days(30),
      streams: 3,
      handlers: 2,
      handlerMs: 300,
      keys: 50_000,
      peak: 5,
      delayShare: 0.05,
      delayMs: minutes(10),
      deadLetterShare: 0.001,
    },
  },
  shop: {
    command:
      'malha capacity --events-per-second 5k --bytes 1KiB --retention 7d --handlers 4 --handler-time 20ms --keys 2M --peak 3 \\\n' +
      '  --delayed 1% --delay 2m --dead-letters 0.01%',
    load: {
      eventsPerSecond: 5000,
      bytes: KIB,
      retentionMs: days(7),
      handlers: 4,
      handlerMs: 20,
      keys: 2_000_000,
      peak: 3,
      delayShare: 0.01,
      delayMs: minutes(2),
      deadLetterShare: 0.0001,
    },
  },
  'shop-grown': {
    command:
      'malha capacity --events-per-second 5k --bytes 1KiB --retention 36h --handlers 4 --handler-time 20ms --keys 2M --peak 3 \\\n' +
      '  --delayed 1% --delay 2m --dead-letters 0.01% --letters-kept 12h \\\n' +
      '  --streams 6 --servers 6 --cores 8 --memory 32GiB --disk 2TiB --network 1250MB --archive-retention 90d --archive-disk 32TiB',
    load: {
      eventsPerSecond: 5000,
      bytes: KIB,
      retentionMs: hours(36),
      handlers: 4,
      handlerMs: 20,
      keys: 2_000_000,
      peak: 3,
      delayShare: 0.01,
      delayMs: seconds(120),
      deadLetterShare: 0.0001,
      lettersKeptMs: hours(12),
      streams: 6,
      servers: 6,
      cores: 8,
      memoryBytes: 32 * GIB,
      diskBytes: 2 * TIB,
      networkBytesPerSecond: 1_250_000_000,
      archiveMs: days(90),
      archiveDiskBytes: 32 * TIB,
    },
  },
}
