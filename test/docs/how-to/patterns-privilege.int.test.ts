import { connectMesh, defineService, meshOptions, noMetrics } from '@malha/mesh'
import { openAggregate, openSaga, readProjection, runProjection, watchSagas } from '@malha/patterns'
import { testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { fences, readText } from '../pages.ts'
import { account, accountOpened } from './aggregate/account.ts'
import { balances } from './projection/balances.ts'
import { orderPlaced } from './saga/contracts.ts'
import { orderSaga } from './saga/order-saga.ts'
import { keepRefusals } from './refusals.ts'

const rights = fences(readText('docs/how-to/run-on-your-own-nats.md')).find(({ body }) =>
  body.includes('KV_SAGA_'),
)!.body

/** A saga's handlers are handlers like any other: what those need is told apart. */
const config = `authorization { users: [
  { user: deployer, password: deployer-pw }
  { user: least, password: least-pw, permissions: {
    subscribe: { allow: ["_INBOX_least.>"] }
    publish: { allow: ["$JS.API.INFO"\n${rights}] }
  } }
] }`

test('with the rights of the page a saga is read, an aggregate decides, a projection is built; nothing is refused', async () => {
  await using server = await testServer({ config })
  const NATS_URL = server.url
  const env = { NATS_URL, NATS_USER: 'least', NATS_PASSWORD: 'least-pw', NATS_INBOX_PREFIX: '_INBOX_least' }
  await using admin = await connectMesh(meshOptions({ NATS_URL, NATS_USER: 'deployer', NATS_PASSWORD: 'deployer-pw' }))
  await admin.provision(defineService('accounts', { handlers: {}, publishes: [accountOpened, orderPlaced] }))
  for (const bucket of ['SAGA_ORDER', 'AGGREGATE_ACCOUNT', 'PROJECTION_BALANCES_V2', 'PROJECTIONS'])
    await admin.bucket(bucket)
  const { refusals, logger } = keepRefusals()
  await using mesh = await connectMesh({ ...meshOptions(env), topology: 'verify', logger })

  const orders = await openSaga(mesh, orderSaga())
  await using watch = watchSagas(mesh, [orders], { metrics: noMetrics })
  await watch.look()
  expect(await orders.get('o-1')).toBeUndefined()
  expect(await orders.listStuck()).toEqual([])

  const accounts = await openAggregate(mesh, account, { snapshots: { every: 1 } })
  await accounts.execute('a-1', { kind: 'open', accountId: 'a-1', limitCents: 0 })
  await accounts.execute('a-1', { kind: 'add', cents: 7 })

  await using running = await runProjection(mesh, balances)
  await running.caughtUp
  expect((await (await readProjection(mesh, balances)).get('a-1'))?.cents).toBe(7)
  expect(refusals).toEqual([])
})
