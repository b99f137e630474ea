import { connectMesh, defineService, event, on, stream } from '@malha/mesh'
import { eventually, testMesh, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { examine, openOperations } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', { stream: orders, schema: z.object({ id: z.string() }) })
const shop = defineService('shop', { handlers: { bill: on(placed, { startFrom: 'all' }, () => undefined) } })
const soon = { againAfterMs: 100 }

async function untilSaid(mesh: Parameters<typeof openOperations>[0]): Promise<void> {
  using operations = await openOperations(mesh)
  await eventually(async () => expect(await operations.contracts.services()).not.toHaveLength(0))
}

it('a mesh that is well has nothing to say, and is not changed by the look', async () => {
  await using test = await testMesh()
  await test.mesh.start(shop)
  await untilSaid(test.mesh)
  const looker = await test.connect({ topology: 'none' })
  const jsm = await jetstreamManager(test.nats)
  const seen = async () => {
    const found: unknown[] = []
    for await (const { config, state } of jsm.streams.list()) found.push([config, state.last_seq, state.consumer_count])
    return found
  }
  const before = await seen()
  const { state, findings } = await examine(looker, soon)
  expect(findings.filter((one) => one.state !== 'ok')).toEqual([])
  expect(state).toBe('ok')
  expect(new Set(findings.map(({ check }) => check))).toEqual(
    new Set(['servers', 'account', 'streams', 'permissions', 'clock', 'consumers', 'services']),
  )
  expect(await seen()).toEqual(before)
})

it('what was changed by hand, what nobody handles, and what is nobody’s is told, each with its fix', async () => {
  await using test = await testMesh()
  const { names } = test.mesh
  {
    // Nobody of the mesh is there any more to mend what follows.
    await using mesh = await connectMesh({ servers: test.url, namespace: test.namespace })
    const running = await mesh.start(shop)
    await untilSaid(mesh)
    await running.stop()
    await mesh.publish(placed, { id: '1' })
    await mesh.publish(placed, { id: '2' }, { deliverIn: 3_600_000 })
  }
  const jsm = await jetstreamManager(test.nats)
  const durable = names.durable('shop', 'bill')
  await jsm.consumers.update(names.stream('ORDERS'), durable, { max_deliver: 3 })
  await jsm.streams.update(names.stream('ORDERS'), { discard: 'old' })
  await jsm.consumers.delete(names.delays(), names.delayDurable('order.placed'))
  const { metadata } = (await jsm.consumers.info(names.stream('ORDERS'), durable)).config
  await jsm.consumers.add(names.stream('ORDERS'), {
    durable_name: names.durable('shop', 'old'),
    ack_policy: 'explicit',
    filter_subject: names.subject('order.old'),
    metadata: { ...metadata, 'malha.handler': 'old' },
  })
  const { state, findings } = await examine(await test.connect({ topology: 'none' }), soon)
  const told = findings.filter((one) => one.state !== 'ok').map(({ check, what }) => `${check}: ${what}`)
  expect(told).toEqual([
    expect.stringMatching(/^streams: discard is old, and must be new/),
    expect.stringMatching(/^consumers: max_deliver is 3/),
    expect.stringMatching(/^consumers: 1 messages wait and no instance of shop pulls/),
    expect.stringMatching(/^services: shop has no handler old; 0 messages wait/),
    expect.stringMatching(/^services: no instance of it pulls/),
    expect.stringMatching(/^delays: 1 of order\.placed wait, and durable \S+, which brings them, is not there/),
  ])
  expect(findings.filter((one) => one.state !== 'ok' && one.fix === null)).toEqual([])
  expect(state).toBe('fail')
})

it('who may do little is told what he may not look at, and what to allow', async () => {
  await using server = await testServer({ config: RIGHTS })
  await using owner = await connectMesh({ servers: server.url, user: 'owner', password: 'o' })
  await owner.provision(shop)
  await using viewer = await connectMesh({ servers: server.url, user: 'viewer', password: 'v', topology: 'none' })
  const { state, findings } = await examine(viewer, soon)
  expect(state).toBe('warn')
  expect(findings).toContainEqual(
    expect.objectContaining({
      check: 'streams',
      state: 'warn',
      fix: 'allow publish on $JS.API.STREAM.LIST',
    }),
  )
  expect(findings).toContainEqual(
    expect.objectContaining({ check: 'permissions', about: 'user viewer', what: 'may not look at dead letters' }),
  )
})

const RIGHTS = `
authorization {
  users: [
    { user: owner, password: o }
    { user: viewer, password: v, permissions: { publish: { allow: ["$JS.API.INFO", "$SYS.REQ.USER.INFO"] }, subscribe: "_INBOX.>" } }
  ]
}`
