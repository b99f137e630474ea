import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, type Mesh, seconds } from '@malha/mesh'
import { eventually } from '../eventually.ts'
import { type Case, type ConformanceEnv, promise } from './case.ts'
import { deadLetters, idsTo, kept, keptOfType, order, placed } from './kit.ts'

const shop = defineService('shop', { handlers: {}, publishes: [placed] })
/** Nobody listens on port 1. */
const NOWHERE = 'nats://127.0.0.1:1'

/** Runs with the path of a file in a folder of its own, which is gone afterwards. Meshes are closed within `run`. */
async function withFile(run: (file: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'malha-spool-'))
  try {
    await run(join(folder, 'spool.db'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function drained(mesh: Mesh): Promise<void> {
  await eventually(() => assert.equal(mesh.queued, 0, 'events are still queued'), { timeoutMs: 30_000 })
}

const idsIn = async (env: ConformanceEnv): Promise<string[]> =>
  (await keptOfType(env, 'ORDERS', placed.type)).map(({ headers }) => headers['ce-id'] ?? '')

const nobodyThere: Case = promise(
  'events published while no broker can be reached are on the disk, and the next process stores each once, in order',
  (env) =>
    withFile(async (file) => {
      await (await env.mesh()).provision(shop)
      {
        await using away = await env.mesh({ servers: NOWHERE, spool: { file } })
        const answers = await Promise.all(idsTo(300).map((id, n) => away.publish(placed, order(n), { id })))
        assert.deepEqual(new Set(answers.map(({ queued }) => queued)), new Set([true]))
      }
      await using mesh = await env.mesh({ spool: { file } })
      await drained(mesh)
      assert.deepEqual(await idsIn(env), idsTo(300))
    }),
)

const brokerKilled: Case = promise(
  'a broker killed under a publisher with a spool refuses nothing: each event is stored once, in the order it was published',
  (env) =>
    withFile(async (file) => {
      const COUNT = 400
      await using mesh = await env.mesh({ spool: { file } })
      await mesh.provision(shop)
      let published = 0
      const publishing = (async (): Promise<void> => {
        for (const id of idsTo(COUNT)) {
          await mesh.publish(placed, order(published), { id })
          published++
          // So that there is a middle to break.
          await sleep(5)
        }
      })()
      await eventually(() => assert.equal(published > COUNT / 4, true), { timeoutMs: 30_000 })
      await env.server.restart(`${env.namespace}_ORDERS`)
      await publishing
      await drained(mesh)
      await eventually(async () => assert.deepEqual(await idsIn(env), idsTo(COUNT)), { timeoutMs: seconds(30) })
    }),
  ['restart'],
)

const refusedForGood: Case = promise(
  'a queued event that is refused for good becomes a dead letter and a record, and the rest goes on',
  (env) =>
    withFile(async (file) => {
      const direct = await env.mesh()
      await direct.provision(shop)
      await direct.publish(placed, order(1), { id: 'p1' })
      {
        await using away = await env.mesh({ servers: NOWHERE, spool: { file } })
        for (const n of [0, 2, 3]) await away.publish(placed, order(n), { id: n === 2 ? 'p1' : `p${n}` })
      }
      await using mesh = await env.mesh({ spool: { file } })
      await drained(mesh)
      assert.deepEqual(await idsIn(env), ['p1', 'p0', 'p3'])
      const [letter] = await deadLetters(env, 1)
      assert.equal(letter?.headers['malha-dlq-code'], 'MESH_ID_CONFLICT')
      assert.equal(letter.headers['ce-id'], 'p1')
      assert.deepEqual(JSON.parse(letter.data.toString()), order(2))
      await eventually(async () => {
        const [record] = (await kept(env, 'MESH')).filter(({ headers }) => headers['ce-type'] === 'mesh.publish.failed')
        assert.equal((JSON.parse(record!.data.toString()) as { letter: string }).letter, letter.subject)
      })
    }),
)

export const spoolCases: readonly Case[] = [nobodyThere, brokerKilled, refusedForGood]
