import { auditArchive } from '@malha/archive'
import { eventually } from '@malha/testing'
import { expect, test } from 'vitest'
import { registerCenters, untilOnboarded } from '../kills/centers.ts'
import { expectEachFactOnce } from '../kills/evidence.ts'
import { type ReferenceMesh, referenceMesh } from '../kills/reference-mesh.ts'
import { type ServiceName, serviceNames } from '../reference/processes.ts'

async function ready(mesh: ReferenceMesh, name: ServiceName): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${mesh.healthUrl(name)}/readyz`)
  return { status: answer.status, text: await answer.text() }
}

test('with ClickHouse away for a whole run the services notice nothing, the archive says so, and is complete later', async () => {
  await using mesh = await referenceMesh({ clickhouse: false })
  const ids = await registerCenters(mesh, 'away', 50)
  await untilOnboarded(mesh, ids, 60_000)
  await expectEachFactOnce(mesh, ids)
  for (const name of serviceNames.filter((name) => name !== 'archive'))
    expect((await ready(mesh, name)).status).toBe(200)
  const archive = await eventually(async () => {
    const answer = await ready(mesh, 'archive')
    expect(answer.text).toMatch(/stream CENTERS: not stored since/)
    return answer
  })
  expect(archive.status).toBe(503)
  expect(archive.text).toMatch(/ClickHouse at 127\.0\.0\.1:\d+: .*ECONNREFUSED/)
  expect((await fetch(`${mesh.healthUrl('archive')}/livez`)).status).toBe(200)
  expect(mesh.services.get('archive')?.restarts).toBe(0)

  await mesh.clickhouse.restart()
  const clickhouse = { url: mesh.clickhouseUrl }
  await eventually(async () => expect((await ready(mesh, 'archive')).status).toBe(200), { timeoutMs: 60_000 })
  const { clean, totals } = await auditArchive({ nats: mesh.watch, clickhouse, waitMs: 60_000 })
  expect({ clean, missing: totals.missing, duplicates: totals.duplicates }).toEqual({
    clean: true,
    missing: 0,
    duplicates: 0,
  })
  expect(totals.archived).toBeGreaterThanOrEqual(ids.length * 5)
}, 240_000)
