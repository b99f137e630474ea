import { eventually } from '@malha/testing'
import { headers } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { archiveStreams, auditArchive, type ArchiveAudit, type RunningArchive } from '../src/index.ts'
import { isMarker } from '../src/write/markers.ts'
import { recordedLog } from './support/recorded.ts'
import { type TestServers, testServers } from './support/servers.ts'

let servers: TestServers
beforeAll(async () => {
  servers = await testServers()
})
afterAll(async () => await servers[Symbol.asyncDispose]())

type Streamed = {
  name: string
  /** One marker, then one event, `count` times, and a marker behind all. */
  publish: (count: number) => Promise<void>
  archive: (log?: ReturnType<typeof recordedLog>['log']) => RunningArchive
  audit: (waitMs?: number) => Promise<ArchiveAudit>
}

async function streamWithMarkers(): Promise<Streamed> {
  const namespace = servers.namespace()
  const name = `${namespace}_CENTERS`
  const clickhouse = { url: servers.clickhouse.url }
  const markers = `${namespace}._done.CENTERS`
  await servers.stream(name, { subjects: [`${namespace}.c`, `${markers}.>`], allow_msg_ttl: true })
  const mark = async (id: string): Promise<void> => {
    const head = headers()
    head.set('Nats-TTL', '4s')
    await servers.js.publish(`${markers}.service.handler.${id}`, '', { headers: head })
  }
  let marked = 0
  return {
    name,
    async publish(count) {
      for (let n = 0; n < count; n += 1) {
        await mark(String(marked++))
        await servers.publish(`${namespace}.c`, 1)
      }
      await mark(String(marked++))
    },
    archive: (log) =>
      archiveStreams({ nats: servers.nats, namespace }, clickhouse, {
        pollMs: 100,
        leaseMs: 1_000,
        ...(log && { log }),
      }),
    audit: (waitMs = 15_000) => auditArchive({ nats: servers.nats, namespace, clickhouse, waitMs }),
  }
}

const subjectsOf = (name: string): Promise<{ subject: string }[]> =>
  servers.clickhouse.sql(`SELECT DISTINCT subject FROM archive.events WHERE stream = '${name}'`)

test('done-markers are no events: not archived, and neither missing nor deleted while they are there and when they are gone', async () => {
  const { name, publish, archive, audit } = await streamWithMarkers()
  await using _running = archive()
  await publish(20)
  const clean = { clean: true, totals: { archived: 20, missing: 0, conflicts: 0, deleted: 0, lost: 0 } }
  expect(await audit()).toMatchObject(clean)
  expect(await subjectsOf(name)).toEqual([{ subject: `${name.replace('_CENTERS', '')}.c` }])
  await eventually(async () => expect((await servers.jsm.streams.info(name)).state.messages).toBe(20), {
    timeoutMs: 20_000,
  })
  expect(await audit()).toMatchObject(clean)
  await servers.jsm.streams.purge(name, { seq: 21 })
  expect(await audit()).toMatchObject({ clean: true, totals: { archived: 20, missing: 0, deleted: 10, lost: 0 } })
  await servers.jsm.streams.purge(name)
  expect(await audit()).toMatchObject({ clean: true, totals: { archived: 20, missing: 0, deleted: 20, lost: 0 } })
})

test('markers that left the stream behind the last archived event are no gap, and a missing event between them is found', async () => {
  const { name, publish, archive, audit } = await streamWithMarkers()
  const first = archive()
  await publish(5)
  await audit()
  await first.stop()
  await servers.jsm.streams.purge(name)
  const { log, lines } = recordedLog()
  await using _second = archive(log)
  await publish(5)
  expect(await audit()).toMatchObject({ clean: true, totals: { archived: 10, lost: 0, missing: 0 } })
  expect(lines.filter(({ level }) => level === 'error')).toEqual([])
  await servers.clickhouse.run(`DELETE FROM archive.events WHERE stream = '${name}' AND seq = 4`)
  expect(await audit(0)).toMatchObject({ clean: false, streams: [{ missing: { seqs: [4] } }] })
})

test('only the stream’s own markers are markers', () => {
  expect(isMarker('staging_CENTERS', 'staging._done.CENTERS.s.h.id')).toBe(true)
  expect(isMarker('CENTERS', '_done.CENTERS.s.h.id')).toBe(true)
  expect(isMarker('CENTERS', 'center._done.CENTERS.x')).toBe(false)
  expect(isMarker('staging_CENTERS', '_done.CENTERS.s.h.id')).toBe(false)
})
