import { defineService, event, stream } from '@malha/mesh'
import { testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { watchConnection } from '../../src/lifecycle/connection-watch.ts'
import { type CommitPart, GroupCommit } from '../../src/publish/group-commit.ts'
import { PublishPipeline } from '../../src/publish/pipeline.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', { stream: orders, schema: z.object({}) })

test('a part whose subject no stream holds fails alone and in its own time; those it was committed with are stored meanwhile', async () => {
  await using t = await testMesh()
  await t.mesh.provision(defineService('shop', { handlers: {}, publishes: [placed] }))
  const { nats, names } = t.mesh
  const commits = new GroupCommit(nats, new PublishPipeline(nats, watchConnection(nats)))
  const part = (type: string, timeoutMs: number): CommitPart => ({
    stream: names.stream(orders),
    members: [{ subject: names.subject(type), payload: Buffer.from('{}'), headers: [['n', '1']] }],
    timeoutMs,
  })
  const good = (): CommitPart => part('order.placed', 60_000)
  const ended: string[] = []
  const note = async (what: string, work: Promise<unknown>): Promise<void> => {
    await work.catch(() => undefined)
    ended.push(what)
  }
  const bad = ['nobodys.first', 'nobodys.second', 'nobodys.last'].map((type) => commits.commit(part(type, 1500)))
  const parts = [bad[0]!, commits.commit(good()), bad[1]!, commits.commit(good()), commits.commit(good()), bad[2]!]
  const all = parts.map((work) => note(bad.includes(work) ? 'bad' : 'good', work))
  // What comes later does not wait for the bad ones either.
  await commits.commit(good())
  await Promise.all(all)
  expect(ended).toStrictEqual(['good', 'good', 'good', 'bad', 'bad', 'bad'])
  for (const work of bad) await expect(work).rejects.toThrow('MESH_NO_STREAM')
})
