import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, event, hours, on, stream } from '@malha/mesh'
import { z } from 'zod'
import { eventually } from '../eventually.ts'
import { promise, type Case } from './case.ts'
import { kept, order, Order, orders, placed, recorder, refused } from './kit.ts'

const publisher = defineService('shop', { handlers: {}, publishes: [placed] })

const typedPublish: Case = promise('a handler gets the output of the schema, the wire its input', async (env) => {
  const priced = event('order.priced', {
    stream: orders,
    schema: z.object({ cents: z.string().transform(Number), currency: z.string().default('BRL') }),
  })
  const seen = recorder()
  const billing = defineService('billing', {
    handlers: { bill: on(priced, { startFrom: 'all' }, seen.note as never) },
  })
  const mesh = await env.mesh()
  await mesh.start(billing)
  const published = await mesh.publish(priced, { cents: '250' })
  await eventually(() => assert.deepEqual(seen.calls[0]?.data, { cents: 250, currency: 'BRL' }))
  assert.equal(seen.calls[0]?.id, published.id)
  assert.equal((await kept(env, 'ORDERS'))[0]?.data.toString(), '{"cents":"250"}')
})

const invalidPayload: Case = promise('an invalid payload is refused at publish and nothing is stored', async (env) => {
  const mesh = await env.mesh()
  await mesh.provision(publisher)
  const error = await refused(mesh.publish(placed, { orderId: 'o1', n: 'many' as never }), 'MESH_INVALID_PAYLOAD')
  assert.match(error.message, /- n: /)
  await refused(mesh.publish(placed, { orderId: '', n: 1 }), 'MESH_INVALID_KEY')
  assert.deepEqual(await kept(env, 'ORDERS'), [])
})

const headerInjection: Case = promise('a header with CR or LF, or a reserved one, is refused', async (env) => {
  const mesh = await env.mesh()
  await mesh.provision(publisher)
  const injections: Record<string, string>[] = [
    { 'x-note': 'a\r\nce-type: other' },
    { 'x-note': 'a\nb' },
    { 'Nats-Msg-Id': 'mine' },
    { 'a b': 'c' },
  ]
  for (const headers of injections) await refused(mesh.publish(placed, order(1), { headers }), 'MESH_INVALID_HEADER')
  assert.deepEqual(await kept(env, 'ORDERS'), [])
})

const sameId: Case = promise('the same id twice is stored once, and the second answer says so', async (env) => {
  const mesh = await env.mesh()
  await mesh.provision(publisher)
  const first = await mesh.publish(placed, order(1), { id: 'same' })
  const second = await mesh.publish(placed, order(1), { id: 'same' })
  assert.deepEqual([first.duplicate, second.duplicate], [false, true])
  assert.deepEqual({ ...second, duplicate: false }, first)
  assert.equal((await kept(env, 'ORDERS')).length, 1)
})

const idConflict: Case = promise(
  'another payload under the same id is MESH_ID_CONFLICT, never success',
  async (env) => {
    const mesh = await env.mesh()
    await mesh.provision(publisher)
    await mesh.publish(placed, order(1), { id: 'same' })
    await refused(mesh.publish(placed, { ...order(1), n: 2 }, { id: 'same' }), 'MESH_ID_CONFLICT')
    await refused(mesh.publish(placed, order(2), { id: 'same' }), 'MESH_ID_CONFLICT')
    assert.equal((await kept(env, 'ORDERS')).length, 1)
  },
)

const WINDOW_MS = 200
const brief = stream('BRIEF', {
  subjects: ['brief.>'],
  duplicateWindowMs: WINDOW_MS,
  maxAgeMs: hours(1),
  maxBytes: 2 ** 20,
})
const opened = event('brief.opened', { stream: brief, schema: Order, key: (data) => data.orderId })

const once: Case = promise(
  'once: one event a key past the duplicate window, and the same answer for the same id',
  async (env) => {
    const mesh = await env.mesh()
    await mesh.provision(defineService('shop', { handlers: {}, publishes: [opened] }))
    const first = await mesh.publish(opened, order(1), { id: 'first', once: true })
    const again = await mesh.publish(opened, order(1), { id: 'first', once: true })
    // The window's end cannot be asked for; the time that has to pass is what is tested.
    await sleep(WINDOW_MS * 4)
    const late = await mesh.publish(opened, order(1), { id: 'first', once: true })
    for (const answer of [again, late]) assert.deepEqual(answer, { ...first, duplicate: true })
    await refused(mesh.publish(opened, order(1), { id: 'second', once: true }), 'MESH_ONCE_CONFLICT')
    await refused(mesh.publish(opened, { ...order(1), n: 9 }, { id: 'first', once: true }), 'MESH_ID_CONFLICT')
    assert.equal((await mesh.publish(opened, order(2), { id: 'third', once: true })).duplicate, false)
    assert.equal((await kept(env, 'BRIEF')).length, 2)
  },
)

const small = stream('SMALL', { subjects: ['small.>'], maxBytes: 64 * 1024, maxAgeMs: hours(1) })
const bulky = event('small.bulky', { stream: small, schema: z.object({ text: z.string() }) })

const streamFull: Case = promise('a full stream refuses with MESH_STREAM_FULL and evicts nothing', async (env) => {
  const mesh = await env.mesh()
  await mesh.provision(defineService('shop', { handlers: {}, publishes: [bulky] }))
  const text = 'x'.repeat(10_000)
  const ids: string[] = []
  const full = refused(
    (async () => {
      for (let n = 0; n < 20; n += 1)
        ids.push((await mesh.publish(bulky, { text }, { id: `b${n}`, timeoutMs: 5_000 })).id)
    })(),
    'MESH_STREAM_FULL',
  )
  await full
  assert.equal(ids.length > 0, true)
  assert.deepEqual(
    (await kept(env, 'SMALL')).map(({ headers }) => headers['ce-id']),
    ids,
  )
})

export const publishCases: readonly Case[] = [
  typedPublish,
  invalidPayload,
  headerInjection,
  sameId,
  idConflict,
  once,
  streamFull,
]
