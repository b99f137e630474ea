import type { ClickHouseClient } from '@clickhouse/client'
import { deniedSubject, epochOf } from '@malha/mesh'
import { jetstreamManager, type JetStreamManager, type StreamInfo } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { type ClickHouseOptions, connectClickHouse, hostOf } from '../clickhouse/connect.ts'
import { isDenied, isSchemaGone } from '../clickhouse/faults.ts'
import { ArchiveError, deniedByClickHouse, reasonOf } from '../errors.ts'
import { checkNamespace, inNamespace } from '../naming.ts'
import { pause } from '../pause.ts'
import { nextMessage } from '../receive/next-message.ts'
import { checkMayReadDirect } from '../receive/read-stored.ts'
import { readCursor } from '../write/cursor.ts'
import { isArchived } from '../write/stream-info.ts'
import { auditStream } from './audit-stream.ts'
import { type ArchiveAudit, type StreamAudit, summarise } from './report.ts'
import { archivedLives } from './table-facts.ts'

export type AuditOptions = {
  nats: NatsConnection
  /** @default '' */
  namespace?: string
  clickhouse: ClickHouseOptions
  /** Full names as the server knows them. @default every archived stream of the namespace, those that are gone too */
  streams?: readonly string[]
  /** How long to wait until all that is in the streams at the start has been archived, ms. @default 0 */
  waitMs?: number
}

/**
 * Compares the archive with the streams: what they hold now message by message, and the rest by its numbers. It reads
 * every message and every row once, and changes nothing: no consumer is made. Needs to publish on `$JS.API.STREAM.LIST`, and
 * `STREAM.INFO`, `STREAM.MSG.GET` and `DIRECT.GET` of the streams; in ClickHouse to SELECT on `archive.*`.
 * @throws ArchiveError ARCHIVE_UNREACHABLE when ClickHouse does not answer or has no archive; ARCHIVE_DENIED
 */
export async function auditArchive(options: AuditOptions): Promise<ArchiveAudit> {
  const startedAt = new Date()
  const namespace = checkNamespace(options.namespace ?? '')
  const client = connectClickHouse(options.clickhouse, 'read')
  try {
    const jsm = await jetstreamManager(options.nats, { checkAPI: false })
    const wanted = (name: string): boolean => options.streams?.includes(name) ?? true
    const infos = await presentStreams(jsm, namespace, wanted)
    for (const { config } of infos) if (config.allow_direct) await checkMayReadDirect(options.nats, config.name)
    const deadline = Date.now() + (options.waitMs ?? 0)
    for (const info of infos) await caughtUp({ jsm, client }, info, deadline)
    const streams: StreamAudit[] = []
    const sources = { nats: options.nats, jsm, client }
    for (const info of infos)
      streams.push(await auditStream(sources, { stream: info.config.name, epoch: epochOf(info) }, info))
    for (const life of await archivedLives(client)) {
      if (!inNamespace(namespace, life.stream) || !wanted(life.stream)) continue
      if (!streams.some((audit) => audit.stream === life.stream && audit.epoch === life.epoch))
        streams.push(await auditStream(sources, life, undefined))
    }
    streams.sort((a, b) => a.stream.localeCompare(b.stream) || a.epoch - b.epoch)
    return {
      clean: streams.every((audit) => audit.clean),
      startedAt: startedAt.toISOString(),
      durationMs: Date.now() - startedAt.getTime(),
      streams,
      totals: summarise(streams),
    }
  } catch (error) {
    throw explained(error, hostOf(options.clickhouse.url))
  } finally {
    await client.close()
  }
}

async function presentStreams(
  jsm: JetStreamManager,
  namespace: string,
  wanted: (name: string) => boolean,
): Promise<StreamInfo[]> {
  const infos: StreamInfo[] = []
  for await (const info of jsm.streams.list())
    if (isArchived(info, namespace) && wanted(info.config.name)) infos.push(info)
  return infos
}

/** Waits until the archive has the last message the stream had when the audit began. */
async function caughtUp(
  { jsm, client }: { jsm: JetStreamManager; client: ClickHouseClient },
  info: StreamInfo,
  deadline: number,
): Promise<void> {
  const target = { stream: info.config.name, epoch: epochOf(info) }
  while (Date.now() < deadline) {
    const cursor = await readCursor(client, target).catch((error: unknown) => {
      if (isSchemaGone(error)) return undefined // the archiver is about to make it
      throw error
    })
    const next = await nextMessage(jsm, target.stream, cursor?.seq ?? 0)
    if (next === null || next.seq > info.state.last_seq) return
    await pause(50)
  }
}

function explained(error: unknown, host: string): unknown {
  const denied = deniedSubject(error)
  if (denied !== undefined)
    return new ArchiveError(
      'ARCHIVE_DENIED',
      `this user may not publish on ${denied}, by which streams are read; audit as viewer, operator, archive, or an administrator of the account`,
      { cause: error },
    )
  if (isDenied(error)) return deniedByClickHouse(error, host)
  if (isSchemaGone(error))
    return new ArchiveError(
      'ARCHIVE_UNREACHABLE',
      `ClickHouse at ${host} has no archive yet; start the archive service, it makes the tables`,
      { cause: error },
    )
  if (
    error instanceof Error &&
    /ECONN|ENOTFOUND|EAI_AGAIN|socket hang up|Timeout/.test(`${error.message}${reasonOf(error)}`)
  )
    return new ArchiveError(
      'ARCHIVE_UNREACHABLE',
      `ClickHouse at ${host} does not answer (${reasonOf(error)}); see that it runs`,
      { cause: error },
    )
  return error
}
