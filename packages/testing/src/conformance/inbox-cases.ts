import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, event, hours, minutes, on, seconds, stream } from '@malha/mesh'
import { eventually } from '../eventually.ts'
import { promise, type Case } from './case.ts'
import { briefly, deadLetters, manager, order, Order, recorder, settled } from './kit.ts'

const WINDOW_MS = 200
const dues = stream('DUES', {
  subjects: ['due.>'],
  duplicateWindowMs: WINDOW_MS,
  maxAgeMs: hours(1),
  maxBytes: 2 ** 20,
})
const due = event('due.charged', { stream: dues, schema: Order, key: (data) => data.orderId })
const options = { startFrom: 'all', ackWaitMs: seconds(2), retry: briefly } as const

const handledOnce: Case = promise(
  'inbox: a message that was handled is not handled again, past the duplicate window and in another process, until keepMs',
  async (env) => {
    const seen = recorder()
    const service = defineService('cashier', {
      handlers: { charge: on(due, { ...options, inbox: { keepMs: seconds(5) } }, seen.note as never) },
    })
    const mesh = await env.mesh()
    await mesh.start(service)
    const first = await mesh.publish(due, order(1), { id: 'a/b.c' })
    await eventually(() => assert.equal(seen.calls.length, 1))
    await settled(env, 'DUES', 'cashier_charge')
    await (await env.mesh()).start(service)
    await sleep(WINDOW_MS * 3)
    assert.notEqual((await mesh.publish(due, order(1), { id: 'a/b.c' })).seq, first.seq)
    await mesh.publish(due, order(2))
    await settled(env, 'DUES', 'cashier_charge')
    assert.equal(seen.calls.length, 2)
    const jsm = await manager(env)
    const records = async (): Promise<number> =>
      (await jsm.streams.info(`KV_${env.namespace}_MESH_INBOX`)).state.messages
    assert.equal(await records(), 2)
    await eventually(async () => assert.equal(await records(), 0), { timeoutMs: 20_000 })
    await mesh.publish(due, order(1), { id: 'a/b.c' })
    await eventually(() => assert.equal(seen.calls.length, 3))
  },
)

const failedIsNot: Case = promise(
  'inbox: an attempt that fails leaves no record, and is retried until one succeeds',
  async (env) => {
    const seen = recorder()
    const mesh = await env.mesh()
    await mesh.start(
      defineService('cashier', {
        handlers: {
          charge: on(due, { ...options, inbox: { keepMs: minutes(5) } }, (data, ctx) => {
            if (seen.note(data, ctx).attempt < 3) throw new Error('not yet')
          }),
        },
      }),
    )
    await mesh.publish(due, order(1))
    await eventually(() =>
      assert.deepEqual(
        seen.calls.map(({ attempt }) => attempt),
        [1, 2, 3],
      ),
    )
    await settled(env, 'DUES', 'cashier_charge')
  },
)

const otherMessage: Case = promise(
  'inbox: another payload under a handled id is a dead letter, never taken for done; each handler has an inbox of its own',
  async (env) => {
    const [seen, other] = [recorder(), recorder()]
    const inbox = { keepMs: minutes(5) }
    const mesh = await env.mesh()
    await mesh.start(
      defineService('cashier', {
        handlers: {
          charge: on(due, { ...options, inbox }, seen.note as never),
          note: on(due, options, other.note as never),
        },
      }),
    )
    await mesh.publish(due, order(1), { id: 'same' })
    await eventually(() => assert.deepEqual([seen.calls.length, other.calls.length], [1, 1]))
    await sleep(WINDOW_MS * 3)
    await mesh.publish(due, { ...order(1), n: 9 }, { id: 'same' })
    const [letter] = await deadLetters(env, 1, undefined)
    assert.equal(letter?.headers['malha-dlq-code'], 'MESH_ID_CONFLICT')
    assert.equal(letter?.headers['malha-dlq-handler'], 'charge')
    await eventually(() => assert.deepEqual([seen.calls.length, other.calls.length], [1, 2]))
  },
)

const brokerDied: Case = promise(
  'inbox: a broker killed while messages are handled: none is handled by a process that knows it was',
  async (env) => {
    const seen = recorder()
    const mesh = await env.mesh()
    await mesh.start(
      defineService('cashier', {
        handlers: {
          charge: on(due, { ...options, concurrency: 8, inbox: { keepMs: minutes(5) } }, async (data, ctx) => {
            seen.note(data, ctx)
            await sleep(20)
          }),
        },
      }),
    )
    const publishing = Promise.all(Array.from({ length: 200 }, (_, n) => mesh.publish(due, order(n), { id: `d${n}` })))
    await eventually(() => assert.equal(seen.calls.length > 40, true))
    await env.server.restart(`${env.namespace}_DUES`)
    await publishing
    await eventually(() => assert.equal(new Set(seen.ids()).size, 200), { timeoutMs: 60_000 })
    await settled(env, 'DUES', 'cashier_charge')
    assert.equal(seen.calls.length, 200)
  },
  ['restart'],
)

export const inboxCases: readonly Case[] = [handledOnce, failedIsNot, otherMessage, brokerDied]
