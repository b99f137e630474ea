import type { RunLimits } from '@malha/operations'
import type { Command } from 'commander'
import { wholeNumber } from '../commands/arguments.ts'

/** How fast a run goes, and when it ends by itself. */
export type PaceOptions = { rate: number; concurrency?: number | undefined; stopAfter: number }

export function withPace(command: Command): Command {
  return command
    .option('--rate <n>', 'messages a second at most', wholeNumber, 100)
    .option(
      '--concurrency <n>',
      'messages sent and without an outcome at most (default: those of a second, 1000 at least and 3000 at most)',
      wholeNumber,
    )
    .option('--stop-after <n>', 'stop when so many failed again', wholeNumber, 100)
}

export const limitsOf = ({ rate, concurrency, stopAfter }: PaceOptions): Partial<RunLimits> => ({
  perSecond: rate,
  ...(concurrency !== undefined && { atOnce: concurrency }),
  mostFailures: stopAfter,
})
