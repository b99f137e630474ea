import { type ClickHouseOptions, isArchived, queryArchiveSql } from '@malha/archive'
import { epochOf, getStored, type Mesh } from '@malha/mesh'
import { type Finding, findingsOf } from '@malha/operations'
import { jetstreamManager, type StreamInfo } from '@nats-io/jetstream'
import { clickhouseAt } from '../connection/archive-option.ts'

const { ok, warn, fail } = findingsOf('archive')
/** An archive that runs is seconds behind. */
const WORTH_SAYING_MS = 60_000
const ALMOST_GONE = 0.8

/** How far the archive is behind each stream, where it is by `lateMs` or more. Reads only. */
export async function archiveFindings(
  mesh: Mesh,
  clickhouse: string,
  { lateMs = WORTH_SAYING_MS }: { lateMs?: number } = {},
): Promise<Finding[]> {
  const host = clickhouse.replace(/^\w+:\/\/([^@/]*@)?/, '').replace(/[/?].*$/, '')
  try {
    const found: Finding[] = []
    let archived = 0
    const archive = clickhouseAt(clickhouse)
    for await (const info of (await jetstreamManager(mesh.nats, { checkAPI: false })).streams.list()) {
      if (!isArchived(info, mesh.names.namespace)) continue
      const lag = await lagOf(mesh, info, { archive, lateMs })
      if (lag) found.push(lag)
      else archived += 1
    }
    return found.length > 0 ? found : [ok(host, `${archived} streams, all up to date`)]
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return [
      warn(
        host,
        `how far the archive is could not be asked: ${why}`,
        'see that ClickHouse runs and has the archive’s tables, or leave --clickhouse out',
      ),
    ]
  }
}

async function lagOf(
  { nats }: Mesh,
  info: StreamInfo,
  { archive, lateMs }: { archive: ClickHouseOptions; lateMs: number },
): Promise<Finding | undefined> {
  const { name, max_age: maxAgeNs } = info.config
  const [row] = await queryArchiveSql(
    archive,
    'SELECT seq FROM archive.events WHERE stream = {stream:String} AND epoch = {epoch:UInt32} ORDER BY seq DESC LIMIT 1',
    { params: { stream: name, epoch: epochOf(info) } },
  )
  const until = Number(row?.['seq'] ?? 0)
  if (until >= info.state.last_seq || info.state.messages === 0) return undefined
  const next = await getStored(nats, name, { seq: until + 1, next_by_subj: '>' })
  if (next === undefined) return undefined
  const lagMs = Date.now() - Date.parse(next.time)
  if (lagMs < lateMs) return undefined
  const share = maxAgeNs > 0 ? (lagMs * 1e6) / maxAgeNs : 0
  const what = `the archive is ${Math.min(info.state.last_seq - until, info.state.messages)} messages behind, the oldest stored ${next.time}`
  const fix = 'start the archive of this namespace, and see its log; malha archive audit says what is missing'
  return share >= ALMOST_GONE ? fail(name, `${what}: the stream forgets it soon`, fix) : warn(name, what, fix)
}
