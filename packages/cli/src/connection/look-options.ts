import type { Mesh } from '@malha/mesh'
import { type LookOptions, openOperations, type Operations } from '@malha/operations'
import type { Command } from 'commander'
import { wholeNumber } from '../commands/arguments.ts'
import { say } from '../view/say.ts'
import { clickhouseAt } from './archive-option.ts'
import { indexFileOf } from './open-indexed.ts'

/** Where a command looks beside the streams, and how far. */
export type LookingOptions = { clickhouse?: string; scan?: number }

/** Adds `--clickhouse` and `--scan`. */
export function withLooking(command: Command): Command {
  return command
    .option(
      '--clickhouse <url>',
      'ClickHouse of the archive; default CLICKHOUSE_URL, or none',
      process.env['CLICKHOUSE_URL'] || undefined,
    )
    .option(
      '--scan <n>',
      'messages looked at one by one, at most, where no index helps; default 200000, with an archive 10000',
      wholeNumber,
    )
}

/** Operations with the kept index of letters, the archive and the traces, where there are any. */
export async function openLooking(
  mesh: Mesh,
  { clickhouse, traces }: LookingOptions & { traces?: string },
): Promise<Operations> {
  return await openOperations(mesh, {
    indexFile: indexFileOf(mesh),
    archive: clickhouse === undefined ? undefined : clickhouseAt(clickhouse),
    traces,
  })
}

const SAY_EVERY_MS = 2000

/** Says how far it is where that takes long. */
export function lookingAt({ scan }: LookingOptions): LookOptions {
  let saidAt = Date.now()
  const onScan = (looked: number, total: number): void => {
    if (Date.now() - saidAt < SAY_EVERY_MS) return
    saidAt = Date.now()
    say(`looking at events one by one, the newest first: ${looked} of ${total}`)
  }
  return { scan, onScan }
}
