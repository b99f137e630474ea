import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, type Handler, type HandlerOptions, on, type ServiceDef } from '@malha/mesh'
import { eventually } from '../eventually.ts'
import { type Case, type ConformanceEnv, promise } from './case.ts'
import { briefly, deadLetters, kept, type Order, placed, type Recorder, recorder } from './kit.ts'

const KEYS = 20

const ordered: HandlerOptions & { order: 'key' } = { order: 'key', startFrom: 'all', ackWaitMs: 3_000, retry: briefly }

/** The n-th event of each key, all keys at once. */
async function publishRound(mesh: Awaited<ReturnType<ConformanceEnv['mesh']>>, n: number): Promise<void> {
  await Promise.all(
    Array.from({ length: KEYS }, (_, key) => mesh.publish(placed, { orderId: `o${key}`, n }, { id: `o${key}-${n}` })),
  )
}

async function publishRounds(
  mesh: Awaited<ReturnType<ConformanceEnv['mesh']>>,
  from: number,
  to: number,
): Promise<void> {
  for (let n = from; n < to; n += 1) await publishRound(mesh, n)
}

/** Calls that began after a later one of their key had begun. */
function inversions({ calls }: Recorder): string[] {
  const last = new Map<string | undefined, number>()
  return calls
    .filter(({ key, data }) => {
      const { n } = data as Order
      const before = last.get(key) ?? -1
      last.set(key, Math.max(before, n))
      return n < before
    })
    .map(({ id }) => id)
}

const billing = (handle: Handler<Order>): ServiceDef =>
  defineService('billing', { handlers: { bill: on(placed, ordered, handle) } })

/** Notes what comes, and takes up to 3 ms for each. */
const notingSlowly = (seen: Recorder): ServiceDef =>
  billing(async (data, ctx) => {
    seen.note(data, ctx)
    await sleep(Math.random() * 3)
  })

const inOrder: Case = promise(
  'an ordered handler takes the events of a key one after the other, whatever fails in between',
  async (env) => {
    const seen = recorder()
    const mesh = await env.mesh()
    await mesh.start(
      billing(async (data, ctx) => {
        const { attempt } = seen.note(data, ctx)
        await sleep(Math.random() * 3)
        if ((data.n + Number(data.orderId.slice(1))) % 7 === 0 && attempt < 3) throw new Error('not yet')
      }),
    )
    await publishRounds(mesh, 0, 20)
    await eventually(() => assert.equal(new Set(seen.ids()).size, 20 * KEYS))
    assert.deepEqual(inversions(seen), [])
    assert.deepEqual(await kept(env, 'DEAD_LETTERS'), [])
  },
)

const freed: Case = promise('a dead letter frees its key, and order goes on without it', async (env) => {
  const seen = recorder()
  const mesh = await env.mesh()
  await mesh.start(
    billing((data, ctx) => {
      seen.note(data, ctx)
      if (data.orderId === 'o3' && data.n === 1) throw new Error('never')
    }),
  )
  await publishRounds(mesh, 0, 4)
  await eventually(() => assert.equal(new Set(seen.ids()).size, 4 * KEYS))
  assert.equal(seen.calls.filter(({ id }) => id === 'o3-1').length, briefly.attempts)
  assert.deepEqual(inversions(seen), [])
  await deadLetters(env, 1)
})

const shared: Case = promise(
  'instances share the keys and hand them over as they come and go: none out of order, left out, or done twice',
  async (env) => {
    const seen = recorder()
    const by = { first: 0, second: 0 }
    const service = (name: keyof typeof by): ServiceDef =>
      billing(async (data, ctx) => {
        seen.note(data, ctx)
        by[name] += 1
        await sleep(Math.random() * 3)
      })
    const mesh = await env.mesh()
    const first = await mesh.start(service('first'))
    let rounds = 0
    const publishUntil = async (check: () => boolean): Promise<void> => {
      for (; !check(); rounds += 1) await publishRound(mesh, rounds)
    }
    await publishUntil(() => by.first > 100)
    const second = await (await env.mesh()).start(service('second'))
    await publishUntil(() => by.second > 100)
    await first.stop()
    const before = by.second
    await publishUntil(() => by.second > before + 200)
    await eventually(() => assert.equal(seen.calls.length, rounds * KEYS))
    await second.stop()
    assert.equal(seen.calls.length, rounds * KEYS)
    assert.deepEqual(inversions(seen), [])
  },
)

const restarted: Case = promise(
  'a server killed in the middle puts no event of a key out of order and leaves none out',
  async (env) => {
    const seen = recorder()
    const mesh = await env.mesh()
    await mesh.start(notingSlowly(seen))
    const publishing = publishRounds(mesh, 0, 60)
    await eventually(() => assert.equal(seen.calls.length > 100, true))
    await env.server.restart(`KV_${env.namespace}_MESH_PARTITIONS`)
    await publishing
    await eventually(() => assert.equal(new Set(seen.ids()).size, 60 * KEYS), { timeoutMs: 60_000 })
    assert.deepEqual(inversions(seen), [])
  },
  ['restart'],
)

const steppedDown: Case = promise(
  'leaders that change under an ordered handler put no event of a key out of order and leave none out',
  async (env) => {
    const seen = recorder()
    const mesh = await env.mesh()
    await mesh.start(notingSlowly(seen))
    const over = new AbortController()
    let rounds = 0
    const publishing = (async () => {
      while (!over.signal.aborted) await publishRound(mesh, rounds++)
    })()
    for (const stream of [`KV_${env.namespace}_MESH_PARTITIONS`, `${env.namespace}_ORDERS`]) {
      const before = seen.calls.length
      await eventually(() => assert.equal(seen.calls.length > before + 100, true))
      await env.server.stepDown(stream)
    }
    const before = seen.calls.length
    await eventually(() => assert.equal(seen.calls.length > before + 100, true))
    over.abort()
    await publishing
    await eventually(() => assert.equal(new Set(seen.ids()).size, rounds * KEYS), { timeoutMs: 60_000 })
    assert.deepEqual(inversions(seen), [])
  },
  ['stepDown'],
)

export const orderedCases: readonly Case[] = [inOrder, freed, shared, restarted, steppedDown]
