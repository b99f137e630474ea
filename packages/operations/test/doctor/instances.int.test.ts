/** What only running processes, and the rights of users, can tell. */
import { connectMesh, defineService, event, type Mesh, on, type ServiceDef, stream } from '@malha/mesh'
import { eventually, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { examine, openOperations } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'], partitions: 1 })
const placed = event('order.placed', { stream: orders, schema: z.object({ id: z.string() }), key: ({ id }) => id })
const nothing = (): void => undefined
const service = (name: string, order?: 'key'): ServiceDef =>
  defineService(name, {
    handlers: { bill: on(placed, { startFrom: 'all', ...(order && { order, ackWaitMs: 2000 }) }, nothing) },
  })

const config = `
authorization {
  users: [
    { user: owner, password: o }
    { user: quiet, password: o, permissions: { publish: ">", subscribe: { deny: "_malha.status.>" } } }
    { user: deaf, password: o, permissions: { publish: ">", subscribe: { deny: "_malha.control.>" } } }
    { user: looker, password: o, permissions: { publish: { deny: ["_malha.status.>", "$JS.API.STREAM.INFO.KV_MESH_CONTRACTS"] }, subscribe: ">" } }
  ]
}`

let opened: AsyncDisposableStack
let mesh: Mesh
const lookers = new Map<'owner' | 'looker', Mesh>()

beforeAll(async () => {
  opened = new AsyncDisposableStack()
  const server = opened.use(await testServer({ config }))
  const as = async (user: string, topology?: 'none'): Promise<Mesh> =>
    opened.use(
      await connectMesh({ servers: server.url, user, password: 'o', name: user, ...(topology && { topology }) }),
    )
  mesh = await as('owner')
  await mesh.start(service('shop'))
  await mesh.start(service('keeper', 'key'))
  await (await as('quiet')).start(service('quiet'))
  await (await as('deaf')).start(service('deaf'))
  using operations = await openOperations(mesh)
  await eventually(async () => {
    const { length } = await operations.contracts.services()
    if (length < 4) throw new Error(`${length} services said their contracts`)
  })
  // What no operator writes, and what nobody should remove.
  await operations.handlers.set({ service: 'shop', handler: 'bill', who: 'ana', concurrency: 4 })
  await (await new Kvm(mesh.nats).open(mesh.names.bucket('HANDLERS'))).put('shop.bill', '{"v":9}')
  mesh.nats.publish(mesh.names.control('shop'))
  const jsm = await jetstreamManager(mesh.nats)
  await jsm.streams.delete(`KV_${mesh.names.bucket('MESH_PARTITIONS')}`)
  for (const user of ['owner', 'looker'] as const) lookers.set(user, await as(user, 'none'))
})

afterAll(() => opened.disposeAsync())

describe('the doctor says', () => {
  it.each([
    [
      'that an instance is not ready, and why',
      'owner',
      /^instances fail keeper \(owner\): it is not ready: handler bill: who has its partitions cannot be known/,
      /^read its log/,
    ],
    [
      'that what somebody said of a handler cannot be read',
      'owner',
      /^instances fail shop\/bill \(owner\): what is said of it cannot be read: .*9/,
      /^say it anew: malha handlers set shop\/bill/,
    ],
    [
      'that a service pulls and says nothing of itself',
      'owner',
      /^instances warn quiet: instances of it pull, and none says how it is$/,
      /^let its user subscribe to _malha\.status\.quiet/,
    ],
    [
      'that a process hears late that its handlers are paused, for want of a right',
      'owner',
      /^instances warn deaf \(deaf\): it may not use _malha\.control\.deaf/,
      /^allow its user _malha\.control\.deaf$/,
    ],
    [
      'which right whoever looks lacks for a check',
      'looker',
      /^instances warn this user: may not use _malha\.status\.\S+, so instances were not looked at$/,
      /^allow publish on _malha\.status\./,
    ],
    [
      'which rights he lacks to look at all',
      'looker',
      /^permissions warn user looker: may not ask instances how they are$/,
      /^to let it: allow publish on _malha\.status\.\*$/,
    ],
    [
      'the same of contracts',
      'looker',
      /^permissions warn user looker: may not look at contracts$/,
      /^to let it: allow publish on \$JS\.API\.STREAM\.INFO\.KV_MESH_CONTRACTS$/,
    ],
    [
      'what he did not look at for that, and all else in spite of it',
      'looker',
      /^services warn this user: may not use \$JS\.API\.STREAM\.INFO\.KV_MESH_CONTRACTS, so services were not looked at$/,
      /^allow publish on /,
    ],
    ['of streams what he may see', 'looker', /^streams ok /, /^nothing$/],
  ] as const)('%s', async (_what, user, said, fix) => {
    await eventually(
      async () => {
        const { findings } = await examine(lookers.get(user)!, { againAfterMs: 100 })
        const told = findings.map((one) => [
          `${one.check} ${one.state} ${one.about}: ${one.what}`,
          one.fix ?? 'nothing',
        ])
        expect(told).toContainEqual([expect.stringMatching(said), expect.stringMatching(fix)])
      },
      { timeoutMs: 20_000 },
    )
  })
})
