import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { streamState } from '@malha/mesh'
import { openSaga, type Saga } from '@malha/patterns'
import { type Child, spawnChild } from '@malha/stack'
import {
  eventually,
  testCluster,
  testMesh,
  testServer,
  type TestCluster,
  type TestMesh,
  type TestServer,
} from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import * as c from '../docs/how-to/saga/contracts.ts'
import { orderSaga, type OrderState } from '../docs/how-to/saga/order-saga.ts'
import { type Customer, shop, type Shop } from './shop.ts'

const PAY_WITHIN_MS = 4_000
/** Before the write, after it and before the publish, after the publish and before the ack, after the ack. */
const STAGES = ['delivered', 'started', 'returned', 'stored', 'settled'] as const

const customerOf = (orderId: string): Customer => {
  const n = Number(orderId.slice(1))
  return n % 10 === 3 ? 'says-nothing' : n % 4 === 1 ? 'declines' : 'pays'
}
/** Where a saga may end: a time-out may be faster than a payment that waits for a dead process; then it is paid back. */
const ENDS: Record<Customer, Record<string, string[]>> = {
  pays: {
    shipped: ['parcel.ship', 'payment.take', 'stock.reserve'],
    unpaid: ['payment.refund', 'payment.take', 'stock.release', 'stock.reserve'],
  },
  declines: {
    declined: ['payment.take', 'stock.release', 'stock.reserve'],
    unpaid: ['payment.take', 'stock.release', 'stock.reserve'],
  },
  'says-nothing': { unpaid: ['payment.take', 'stock.release', 'stock.reserve'] },
}

type Round = { name: string; orders: number; kills: number; broker: () => Promise<TestServer | TestCluster> }
const rounds: Round[] = [
  { name: 'a single server', orders: 200, kills: 8, broker: () => testServer() },
  { name: 'three replicas', orders: 50, kills: 6, broker: () => testCluster() },
]

test.each(rounds)(
  'a saga’s process killed at any point, on $name: each saga ends once, each command has one effect',
  async ({ orders, kills: most, broker }) => {
    await using server = await broker()
    await using t = await testMesh({ server: server as TestServer })
    const other = shop(customerOf)
    await using _other = await t.mesh.start(other.service)
    const sagas = await openSaga(t.mesh, orderSaga(PAY_WITHIN_MS))
    const ids = Array.from({ length: orders }, (_, n) => `o${n}`)
    let diedThere = 0
    for (let round = 0; round < most; round++) {
      // Each kill finds work.
      const share = ids.slice((round * orders) / most, ((round + 1) * orders) / most)
      const placed = share.map((orderId) =>
        t.mesh.publish(c.orderPlaced, { orderId, sku: 's', cents: 100 }, { id: `placed-${orderId}` }),
      )
      await Promise.all(placed)
      const stage = STAGES[round % STAGES.length]!
      const doomed = start(t, { DIE_AT: `${stage}:${1 + Math.floor(Math.random() * share.length)}` })
      const died = await Promise.race([doomed.exited, sleep(30_000)])
      if (died?.signal === 'SIGKILL') diedThere++
      doomed.kill('SIGKILL')
      await doomed.exited
      // The server forgets what it knew by id; that this much time passes is what is tested.
      if (round % 3 === 0) await sleep(1.5 * c.orders.duplicateWindowMs)
    }
    const heir = start(t, {})
    try {
      await eventually(() => allWhole(sagas, ids, other), { timeoutMs: 60_000, intervalMs: 500 })
    } finally {
      heir.kill('SIGTERM')
      await heir.exited
    }
    expect(diedThere).toBeGreaterThan(most / 2)
    expect([...other.effects].filter(([, keys]) => keys.size !== 1)).toEqual([])
    expect(await storedTwice(t)).toEqual([])
    const jsm = await jetstreamManager(t.nats)
    expect((await jsm.streams.info(`${t.namespace}_DEAD_LETTERS`)).state.messages).toBe(0)
  },
  240_000,
)

function start(t: TestMesh, env: Record<string, string>): Child {
  return spawnChild({
    command: process.execPath,
    args: [fileURLToPath(new URL('saga-process.ts', import.meta.url))],
    env: {
      ...process.env,
      NATS_URL: t.url,
      MALHA_NAMESPACE: t.namespace,
      PAY_WITHIN_MS: String(PAY_WITHIN_MS),
      ...env,
    },
    onLine: () => undefined,
  })
}

/** Each saga has ended, and what was done in it is what belongs to its end. */
async function allWhole(sagas: Saga<OrderState>, ids: string[], other: Shop): Promise<void> {
  const amiss: unknown[] = []
  for (const orderId of ids) {
    const record = await sagas.get(orderId)
    const had = [...other.effects.keys()]
      .filter((name) => name.endsWith(` ${orderId}`))
      .map((name) => name.split(' ')[0])
    const due = ENDS[customerOf(orderId)][record?.outcome ?? '']
    if (record?.status !== 'ended' || !isDeepStrictEqual(new Set(had), new Set(due)))
      amiss.push({ orderId, status: record?.status, outcome: record?.outcome, had })
  }
  expect(amiss).toEqual([])
}

/** Ids that stand in the stream more than once. */
async function storedTwice(t: TestMesh): Promise<string[]> {
  const counts = new Map<string, number>()
  const stream = `${t.namespace}_ORDERS`
  const { lastSeq } = await streamState(t.nats, stream)
  const consumer = await jetstream(t.nats).consumers.get(stream)
  for await (const message of await consumer.consume({ max_messages: 500 })) {
    const id = `${message.headers?.get('ce-type')} ${message.headers?.get('ce-id')}`
    counts.set(id, (counts.get(id) ?? 0) + 1)
    if (message.seq >= lastSeq) break
  }
  // A marker of what was stored once is no event.
  return [...counts].filter(([id, count]) => id.trim() !== '' && count > 1).map(([id]) => id)
}
