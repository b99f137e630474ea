import type { Length, Times } from './time.ts'

/** Labels that name one handler, wherever it runs; `namespace` is of the scrape, and may be missing. */
export const HANDLER: string = 'namespace, service, handler'

/**
 * A counter grew within a time. `increase` alone misses the first event of all: a counter with labels begins to exist when it is
 * 1, and nothing was there before to compare with. One that is seen first because Prometheus itself is new has not grown.
 */
export function grew(counter: string, by: string, { t, within }: { t: Times; within: Length }): string {
  const range = t(within)
  return lines(
    `sum by (${by}) (`,
    `  increase(${counter}[${range}]) > 0`,
    `  or (${counter} unless ${counter} offset ${range}) > 0`,
    '    and on (namespace, job, instance)',
    `      (process_start_time_seconds > time() - ${t.seconds(within)} or process_start_time_seconds offset ${range})`,
    ') > 0',
  )
}

/** For the proof of a counter that grew: a process that has run for a day. */
export const OLD_PROCESS: Readonly<Record<string, string>> = {
  'process_start_time_seconds{instance="a"}': '-86400x600',
}

/** PromQL on one line; lines are joined as they are. */
export const lines = (...parts: readonly string[]): string => parts.join('\n')
