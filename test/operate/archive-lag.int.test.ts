import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { archiveStreams, migrateArchive } from '@malha/archive'
import { defineService, event, stream } from '@malha/mesh'
import { startClickHouse } from '@malha/stack'
import { eventually } from '@malha/testing'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { archiveFindings } from '../../packages/cli/src/doctor/archive-lag.ts'
import { deployedServer } from '../deploy/deployed-server.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', { stream: orders, schema: z.object({ id: z.string() }) })
const now = { lateMs: 0 }

it('an archive that is behind is told by stream, one that is up to date is well, one that is away is said to be', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'malha-lag-'))
  await using end = new AsyncDisposableStack()
  end.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  const { CLICKHOUSE_URL: _, ...env } = process.env
  const clickhouse = await startClickHouse({ dataDir, env })
  end.defer(() => clickhouse.stop())
  const { url } = clickhouse
  const service = defineService('shop', { handlers: {}, publishes: [placed] })
  await using server = await deployedServer([service])
  const source = { nats: (await server.connect('archive')).nats, namespace: '' }
  const mesh = await server.connect('viewer', { topology: 'none' })
  await migrateArchive({ ...source, clickhouse: { url } })
  const shop = await server.connect('shop')
  // It says its contracts, in a bucket, which is not archived.
  await shop.start(service)
  await shop.publish(placed, { id: '1' })

  const behind = await archiveFindings(mesh, url, now)
  expect(behind).toMatchObject([{ check: 'archive', state: 'warn', about: mesh.names.stream('ORDERS') }])
  expect(behind[0]!.what).toMatch(/1 messages behind, the oldest stored /)
  // It has just come: an archive that runs has it in a moment.
  expect(await archiveFindings(mesh, url)).toMatchObject([{ state: 'ok' }])

  {
    await using _running = archiveStreams(source, { url })
    await eventually(async () => expect(await archiveFindings(mesh, url, now)).toMatchObject([{ state: 'ok' }]))
  }
  await clickhouse.stop()
  const away = await archiveFindings(mesh, url.replace('//', '//reader:hunter2@'))
  expect(away).toMatchObject([{ state: 'warn', what: expect.stringContaining('could not be asked') }])
  expect(JSON.stringify(away)).not.toContain('hunter2')
})
