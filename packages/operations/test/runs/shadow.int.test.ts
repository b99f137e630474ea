import {
  attemptFailed,
  defineService,
  event,
  type HandlerDef,
  type Mesh,
  on,
  type RunningService,
  stream,
} from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { openOperations } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const schema = z.object({ n: z.number() })
const placed = event('order.placed', { stream: orders, schema })
const billed = event('order.billed', { stream: orders, schema })
const refused = event('order.refused', { stream: orders, schema })

const start = (mesh: Mesh, handlers: Record<string, HandlerDef>): Promise<RunningService> =>
  mesh.start(defineService('shop', { publishes: [billed, refused], handlers }))

it('a shadow gets what a replay sends and nothing else, stores nothing, and its run says what it would have published', async () => {
  await using test = await testMesh()
  const { mesh } = test
  const called: number[] = []
  const attempts: number[] = []
  const bill = on(placed, { startFrom: 'all' }, ({ n }, ctx) => ctx.publish(billed, { n }))
  const next = on(placed, { shadow: true }, async ({ n }, ctx) => {
    attempts.push(ctx.attempt)
    called.push(n)
    if (n === 3) throw new Error('no price')
    ctx.publish(n % 2 === 0 ? billed : refused, { n })
    if (n === 4) ctx.publish(billed, { n })
  })
  const failures: string[] = []
  const watch = on(attemptFailed, { startFrom: 'all' }, ({ handler }) => void failures.push(handler))
  const shop = await start(mesh, { bill, next, watch })
  for (let n = 0; n < 6; n++) await mesh.publish(placed, { n })
  const jsm = await jetstreamManager(mesh.nats)
  const name = mesh.names.stream(orders)
  await eventually(async () => expect((await jsm.streams.info(name)).state.messages).toBe(12))
  const consumers = await jsm.streams.info(name)
  expect(called).toEqual([])

  using operations = await openOperations(mesh)
  const handlers = await operations.handlers.list()
  expect(handlers.map(({ handler }) => handler).toSorted()).toEqual(['bill', 'next', 'watch'])
  const of = { service: 'shop', handler: 'next' }
  expect(await operations.runs.planReplay(of)).toMatchObject({ total: 6, shadow: true })
  const { id } = await operations.runs.replay({ ...of, who: 'ana' })
  expect(await operations.runs.work(id, { who: 'ana' })).toMatchObject({
    state: 'done',
    shadow: true,
    counts: { sent: 6, ok: 5, failed: 1 },
    withheld: { 'order.billed': 4, 'order.refused': 2 },
  })
  expect(called.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5])
  expect(new Set(attempts)).toEqual(new Set([1]))
  expect((await jsm.streams.info(name)).state).toEqual(consumers.state)
  // No letter, and nobody was told of a failed attempt.
  await operations.letters.refresh()
  expect(operations.letters.list().total).toBe(0)
  await shop.stop()
  expect(failures).toEqual([])
})

it('a shadow is not what takes events under the same name, and goes on when its lane was removed', async () => {
  await using test = await testMesh()
  const { mesh } = test
  const called: number[] = []
  const real = on(placed, { startFrom: 'all' }, () => undefined)
  const shadow = on(placed, { shadow: true }, ({ n }) => void called.push(n))
  await (await start(mesh, { bill: real })).stop()
  await expect(start(mesh, { bill: shadow })).rejects.toThrow(/handler bill of shop.*took events before/s)
  const first = await start(mesh, { bill: real, next: shadow })
  await first.stop()
  await expect(start(mesh, { bill: real, next: real })).rejects.toThrow(/handler next of shop.*was a shadow before/s)
  expect(() => on(placed, { shadow: true, order: 'key' }, () => undefined)).not.toThrow()
  expect(() =>
    defineService('shop', {
      handlers: { next: on(placed, { shadow: true, inbox: { keepMs: 60_000 } }, () => undefined) },
    }),
  ).toThrow(/it is a shadow, which takes no events and publishes none; leave inbox out/)

  const again = await start(mesh, { bill: real, next: shadow })
  const jsm = await jetstreamManager(mesh.nats)
  await jsm.consumers.delete(mesh.names.lanes('shop'), mesh.names.durable('shop', 'next'))
  await eventually(async () => await jsm.consumers.info(mesh.names.lanes('shop'), mesh.names.durable('shop', 'next')), {
    timeoutMs: 20_000,
  })
  await mesh.publish(placed, { n: 1 })
  using operations = await openOperations(mesh)
  const { id } = await operations.runs.replay({ service: 'shop', handler: 'next', who: 'ana' })
  expect((await operations.runs.work(id, { who: 'ana' })).counts).toMatchObject({ ok: 1 })
  expect(called).toEqual([1])
  await again.stop()
})
