import assert from 'node:assert/strict'
import { defineService, on, Reject, type ServiceDef } from '@malha/mesh'
import { promise, type Case } from './case.ts'
import {
  billed,
  briefly,
  cloudEvent,
  deadLetters,
  kept,
  keptOfType,
  order,
  placed,
  publishOrders,
  publishRaw,
  type Recorder,
  recorder,
} from './kit.ts'

const reject: Case = promise('Reject makes one dead letter at once, with bytes, headers and reason', async (env) => {
  const mesh = await env.mesh()
  const seen = recorder()
  await mesh.start(
    defineService('billing', {
      version: '1.2.3',
      handlers: {
        bill: on(placed, { startFrom: 'all', retry: briefly }, (data, ctx) => {
          seen.note(data, ctx)
          ctx.publish(billed, data)
          throw new Reject('São Paulo bills nobody\r\nce-type: forged')
        }),
      },
    }),
  )
  const sent = await mesh.publish(placed, order(7), { id: 'p7', headers: { 'x-tenant': 'north' } })
  const [letter] = await deadLetters(env, 1, 'billing_bill')
  const [original] = await kept(env, 'ORDERS')
  assert.ok(letter && original)
  assert.equal(seen.calls.length, 1)
  assert.equal(letter.data.equals(original.data), true)
  const { 'nats-msg-id': _, ...own } = original.headers
  assert.deepEqual({ ...letter.headers, ...own }, letter.headers)
  const said = (name: string): string => decodeURIComponent(letter.headers[`malha-dlq-${name}`] ?? '')
  assert.match(said('reason'), /São Paulo bills nobody/)
  assert.deepEqual(['code', 'error-class', 'seq', 'durable', 'service', 'handler', 'service-version'].map(said), [
    'MESH_REJECTED',
    'Reject',
    String(sent.seq),
    `${env.namespace}_billing_bill`,
    'billing',
    'bill',
    '1.2.3',
  ])
  assert.equal(said('subject'), original.subject)
  assert.match(Buffer.from(said('stack'), 'base64').toString(), /Reject/)
  assert.match(
    letter.subject,
    new RegExp(`^${env.namespace}\\.dlq\\.${env.namespace}_billing_bill\\.ORDERS\\.\\d+\\.${sent.seq}@\\d+$`),
  )
  assert.deepEqual(await keptOfType(env, 'ORDERS', billed.type), [])
})

const exhausted: Case = promise(
  'retries that are used up end in one dead letter that tells the attempts',
  async (env) => {
    const seen = recorder()
    const mesh = await env.mesh()
    await mesh.start(
      defineService('billing', {
        handlers: {
          bill: on(placed, { startFrom: 'all', retry: { ...briefly, attempts: 3 } }, (data, ctx) => {
            seen.note(data, ctx)
            throw new TypeError('never')
          }),
        },
      }),
    )
    await publishOrders(mesh, 0, 1)
    const [letter] = await deadLetters(env, 1, 'billing_bill')
    assert.equal(letter?.headers['malha-dlq-code'], 'MESH_RETRIES_EXHAUSTED')
    assert.equal(letter?.headers['malha-dlq-error-class'], 'TypeError')
    assert.match(decodeURIComponent(letter?.headers['malha-dlq-reason'] ?? ''), /never/)
    assert.deepEqual(
      seen.calls.map(({ attempt }) => attempt),
      [1, 2, 3],
    )
  },
)

/** Handles whatever can be read. */
const noting = (seen: Recorder): ServiceDef =>
  defineService('billing', {
    handlers: { bill: on(placed, { startFrom: 'all', retry: briefly }, (d, c) => void seen.note(d, c)) },
  })

const undecodable: Case = promise(
  'what cannot be read is a dead letter, not a retry: no headers, bad JSON, no UTF-8',
  async (env) => {
    const seen = recorder()
    const mesh = await env.mesh()
    await mesh.start(noting(seen))
    const bytes = [
      Buffer.from('{"orderId":"o1","n":1}'),
      Buffer.from('{"orderId":'),
      Buffer.from([0x22, 0xff, 0xfe, 0x22]),
    ]
    await publishRaw(env, 'order.placed', bytes[0] as Buffer)
    await publishRaw(env, 'order.placed', bytes[1] as Buffer, cloudEvent('bad-json', placed.type))
    await publishRaw(env, 'order.placed', bytes[2] as Buffer, cloudEvent('no-utf-8', placed.type))
    await mesh.publish(placed, order(1), { id: 'good' })
    const letters = await deadLetters(env, 3, 'billing_bill')
    assert.deepEqual(
      letters.map(({ headers }) => headers['malha-dlq-code']),
      Array.from({ length: 3 }, () => 'MESH_UNDECODABLE'),
    )
    for (const original of bytes)
      assert.equal(
        letters.some(({ data }) => data.equals(original)),
        true,
      )
    assert.deepEqual(seen.ids(), ['good'])
  },
)

const mismatch: Case = promise(
  'an unknown type and data that does not fit the schema are dead letters',
  async (env) => {
    const seen = recorder()
    const mesh = await env.mesh()
    await mesh.start(noting(seen))
    await publishRaw(env, 'order.placed', JSON.stringify(order(1)), cloudEvent('stranger', 'order.invented'))
    await publishRaw(env, 'order.placed', '{"orderId":"o1","n":"one"}', cloudEvent('misfit', placed.type))
    const letters = await deadLetters(env, 2, 'billing_bill')
    const codes = Object.fromEntries(letters.map(({ headers }) => [headers['ce-id'], headers['malha-dlq-code']]))
    assert.deepEqual(codes, { stranger: 'MESH_UNKNOWN_TYPE', misfit: 'MESH_SCHEMA_MISMATCH' })
    assert.deepEqual(seen.calls, [])
  },
)

export const deadLetterCases: readonly Case[] = [reject, exhausted, undecodable, mismatch]
