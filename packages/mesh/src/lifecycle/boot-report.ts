import type { BootStream } from '../topology/provision.ts'
import type { Logger } from '../observe/logger.ts'

/** One handler and what it was bound to. */
export type BootHandler = {
  handler: string
  /** Type or topic pattern. */
  source: string
  /** Names on the server. */
  stream: string
  durables: readonly string[]
  /** Those of them that were made at this start. */
  created: readonly string[]
  concurrency: number
}

/** What a service found or made at its start. */
export type BootReport = { service: string; streams: readonly BootStream[]; handlers: readonly BootHandler[] }

/** One line a handler and a stream, and one with the sum of what is reserved. */
export function logReport(log: Logger, report: BootReport): void {
  for (const handler of report.handlers)
    log.info(handler, `${handler.handler} handles ${handler.source} from ${handler.stream}`)
  for (const { name, ...stream } of report.streams)
    log.info({ stream: name, ...stream }, `stream ${name} ${stream.action}`)
  const reserved = report.streams.reduce((sum, { maxBytes }) => sum + (Number.isFinite(maxBytes) ? maxBytes : 0), 0)
  log.info(
    { service: report.service, reservedBytes: reserved },
    `${report.service} is bound: ${report.handlers.length} handlers, ${report.streams.length} streams`,
  )
}
