import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { archiveStreams, auditArchive, type ClickHouseOptions, eventArchive } from '@malha/archive'
import { type Contract, defineService, event, stream } from '@malha/mesh'
import { projection, readProjection, runProjection } from '@malha/patterns'
import { startClickHouse } from '@malha/stack'
import { eventually, testMesh, type TestMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'

const opened = new AsyncDisposableStack()
afterAll(() => opened.disposeAsync())
const dataDir = await mkdtemp(join(tmpdir(), 'malha-retention-'))
opened.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
const clickhouse: ClickHouseOptions = { url: opened.use(await startClickHouse({ dataDir, env: {} })).url }

const tills = stream('TILLS', { subjects: ['till.>'] })
const Moved = z.object({ till: z.string(), cents: z.int() })
const moved: Contract<z.infer<typeof Moved>> = event('till.moved', {
  stream: tills,
  schema: Moved,
  key: ({ till }) => till,
})
type Balance = { moves: number; last: number }
const balances = projection('balances', {
  version: 1,
  events: { moved },
  project: (view: Balance | undefined, { data }) => ({ moves: (view?.moves ?? 0) + 1, last: data.cents }),
})

/** 700 events of ten tills, all archived, of which the stream has the last hundred. */
async function forgetful(t: TestMesh): Promise<void> {
  await t.mesh.provision(defineService('tills', { handlers: {}, publishes: [moved] }))
  for (let n = 0; n < 700; n += 100)
    await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        t.mesh.publish(moved, { till: `t${index % 10}`, cents: n + index }, { timeoutMs: 20_000 }),
      ),
    )
  {
    await using _ = archiveStreams({ nats: t.nats, namespace: t.namespace }, clickhouse, { pollMs: 100 })
    const { clean } = await auditArchive({ nats: t.nats, namespace: t.namespace, clickhouse, waitMs: 40_000 })
    if (!clean) throw new Error('not archived')
  }
  const jsm = await jetstreamManager(t.nats)
  await jsm.streams.purge(t.mesh.names.stream(tills), { seq: 601 })
}

test('a version is built from the archive and the stream as if nothing had been forgotten', async () => {
  await using t = await testMesh()
  await forgetful(t)
  await using running = await runProjection(t.mesh, balances, { archive: eventArchive(clickhouse), everyMs: 10 })
  await running.caughtUp
  const reader = await readProjection(t.mesh, balances)
  for (let n = 0; n < 10; n++) expect(await reader.get(`t${n}`)).toStrictEqual({ moves: 70, last: 690 + n })
  await t.mesh.publish(moved, { till: 't1', cents: 7 })
  await eventually(async () => expect(await reader.get('t1')).toStrictEqual({ moves: 71, last: 7 }))
})

test('while the archive is away, or lacks something, nothing is built and it is said why', async () => {
  await using t = await testMesh()
  await forgetful(t)
  {
    const archive = eventArchive({ url: 'http://127.0.0.1:1' })
    await using running = await runProjection(t.mesh, balances, { archive, everyMs: 10 })
    await eventually(() => expect(running.fault).toContain('ARCHIVE_UNREACHABLE'))
  }
  await t.mesh.publish(moved, { till: 't1', cents: 7 })
  const jsm = await jetstreamManager(t.nats)
  await jsm.streams.purge(t.mesh.names.stream(tills))
  await using running = await runProjection(t.mesh, balances, { archive: eventArchive(clickhouse), everyMs: 10 })
  await eventually(() => expect(running.fault).toMatch(/ARCHIVE_INCOMPLETE.*sequences 701 to 701 that/))
  await expect(readProjection(t.mesh, balances).then((reader) => reader.get('t1'))).rejects.toThrow(
    'PATTERNS_PROJECTION_NOT_LIVE',
  )
})
