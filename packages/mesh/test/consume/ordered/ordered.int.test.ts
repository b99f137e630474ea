import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, event, type HandlerContext, hours, type Mesh, on, retry, stream } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'

const Order = z.object({ orderId: z.string(), n: z.number().int() })
const orders = stream('ORDERS', { subjects: ['order.>'], maxAgeMs: hours(1), maxBytes: 64 * 1024 ** 2 })
const moved = event('order.moved', { stream: orders, schema: Order, key: (order) => order.orderId })

type Call = { key: string; n: number; fence: number; attempt: number }

function recorder(): { calls: Call[]; note: (data: z.infer<typeof Order>, ctx: HandlerContext) => Call } {
  const calls: Call[] = []
  return {
    calls,
    note({ orderId, n }, ctx) {
      const call = { key: orderId, n, fence: ctx.fence ?? 0, attempt: ctx.attempt }
      calls.push(call)
      return call
    },
  }
}

/** Calls that began after a later one of their key had begun. */
function inversions(calls: readonly Call[]): Call[] {
  const last = new Map<string, number>()
  return calls.filter(({ key, n }) => {
    const before = last.get(key) ?? -1
    last.set(key, Math.max(before, n))
    return n < before
  })
}

async function publishMoves(mesh: Mesh, keys: number, each: number, from = 0): Promise<void> {
  for (let n = from; n < from + each; n += 1)
    await Promise.all(Array.from({ length: keys }, (_, key) => mesh.publish(moved, { orderId: `o${key}`, n })))
}

test('events of a key are handled in the order of the stream, each once', async () => {
  await using t = await testMesh()
  const seen = recorder()
  await t.mesh.start(
    defineService('billing', {
      handlers: {
        bill: on(moved, { order: 'key', startFrom: 'all', concurrency: 32 }, async (data, ctx) => {
          seen.note(data, ctx)
          await sleep(Math.random() * 4)
        }),
      },
    }),
  )
  await publishMoves(t.mesh, 50, 20)
  await eventually(() => expect(seen.calls.length).toBe(1000), { timeoutMs: 20_000 })
  expect(inversions(seen.calls)).toEqual([])
  expect(seen.calls.every(({ fence }) => fence > 0)).toBe(true)
})

test('a failing event holds its key and no other', async () => {
  await using t = await testMesh()
  const seen = recorder()
  await t.mesh.start(
    defineService('billing', {
      handlers: {
        bill: on(
          moved,
          { order: 'key', startFrom: 'all', retry: retry({ minDelayMs: 100, maxDelayMs: 1_000 }) },
          (data, ctx) => {
            if (seen.note(data, ctx).attempt < 4 && data.orderId === 'o1' && data.n === 2) throw new Error('not yet')
          },
        ),
      },
    }),
  )
  await publishMoves(t.mesh, 5, 50)
  await eventually(() => expect(seen.calls.length).toBe(253), { timeoutMs: 20_000 })
  expect(inversions(seen.calls)).toEqual([])
  const third = seen.calls.findIndex(({ key, n }) => key === 'o1' && n === 3)
  const others = seen.calls.slice(0, third).filter(({ key }) => key !== 'o1')
  expect(others.length).toBe(200)
})
