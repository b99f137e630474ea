import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ArchiveAudit, type ArchivedEvent, archiveStreams, auditArchive, queryArchive } from '@malha/archive'
import { names } from '@malha/mesh'
import { startClickHouse } from '@malha/stack'
import type { TestMesh } from '@malha/testing'

/** A namespace's archive, kept up to date until it is disposed. */
export interface TestArchive extends AsyncDisposable {
  readonly clickhouse: { readonly url: string }
  /** Waits until all that is in the streams is archived. */
  audit(): Promise<ArchiveAudit>
  /** What is archived of a stream, named without the namespace, oldest first. */
  events(stream: string, filter?: { key?: string }): Promise<ArchivedEvent[]>
}

export async function testArchive({ nats, namespace }: Pick<TestMesh, 'nats' | 'namespace'>): Promise<TestArchive> {
  await using opened = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'malha-bad-input-'))
  opened.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  const clickhouse = opened.use(await startClickHouse({ dataDir }))
  opened.use(archiveStreams({ nats, namespace }, { url: clickhouse.url }, { pollMs: 100 }))
  const all = opened.move()
  return {
    clickhouse,
    audit: () => auditArchive({ nats, namespace, clickhouse, waitMs: 40_000 }),
    async events(stream, filter = {}) {
      const found = await queryArchive(clickhouse, { ...filter, stream: names(namespace).stream(stream), limit: 1_000 })
      return found.toReversed()
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}
