import { connectMesh, defineService, on } from '@malha/mesh'
import { eventually, testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { moved, publishMoves, recorder } from './moves.ts'

const config = `
authorization {
  users [
    { user: deployer, password: deployer-pw }
    {
      user: billing, password: billing-pw
      permissions {
        subscribe { allow: [ "_INBOX_billing.>", "$KV.MESH_PARTITIONS.billing_bill.>", "_malha.control.billing", "_malha.status.billing" ] }
        allow_responses: true
        publish {
          allow: [
            "mesh.>", "lane.billing.>", "dlq.billing_bill.>"
            "$JS.API.INFO", "$JS.API.STREAM.INFO.*"
            "$JS.API.STREAM.MSG.GET.ORDERS", "$JS.API.STREAM.MSG.GET.KV_MESH_PARTITIONS"
            "$JS.API.STREAM.MSG.GET.KV_HANDLERS"
            "$JS.API.CONSUMER.INFO.*.billing_bill", "$JS.API.CONSUMER.LIST.ORDERS", "$JS.API.CONSUMER.LIST.LANES_BILLING"
            "$JS.API.DIRECT.GET.KV_MESH_CHECKPOINTS.>", "$JS.API.DIRECT.GET.KV_MESH_PARTITIONS"
            "$JS.API.STREAM.PURGE.KV_MESH_PARTITIONS"
            "$KV.MESH_PARTITIONS.billing_bill.>"
            "$JS.API.CONSUMER.CREATE.ORDERS.*", "$JS.API.CONSUMER.DELETE.ORDERS.*"
            "$JS.API.CONSUMER.INFO.ORDERS.*", "$JS.API.CONSUMER.MSG.NEXT.ORDERS.*"
            "$JS.API.CONSUMER.DURABLE.CREATE.LANES_BILLING.billing_bill", "$JS.API.CONSUMER.CREATE.LANES_BILLING.billing_bill.>"
          ]
        }
      }
    }
  ]
}
`

test('with the permissions of the page an ordered handler shares partitions, retries and stops, and is refused nothing', async () => {
  await using server = await testServer({ config })
  const seen = recorder()
  const service = defineService('billing', {
    handlers: {
      bill: on(moved, { order: 'key', startFrom: 'all', ackWaitMs: 2000 }, (data, ctx) => {
        const { attempt } = seen.note(data, ctx)
        if (data.n === 3 && attempt === 1) throw new Error('not yet')
      }),
    },
  })
  await using admin = await connectMesh({ servers: server.url, user: 'deployer', password: 'deployer-pw' })
  await admin.provision(service)
  const refusals: object[] = []
  const connect = () =>
    connectMesh({
      servers: server.url,
      user: 'billing',
      password: 'billing-pw',
      inboxPrefix: '_INBOX_billing',
      topology: 'ensure',
      logger: {
        debug() {},
        info() {},
        warn: (fields) => void refusals.push(fields),
        error: (fields) => void refusals.push(fields),
      },
    })
  await using first = await connect()
  await using second = await connect()
  const running = await first.start(service)
  await second.start(service)
  await publishMoves(admin, 30, 10)
  await eventually(() => expect(new Set(seen.calls.map(({ key, n }) => `${key} ${n}`)).size).toBe(300))
  await running.stop()
  await publishMoves(admin, 30, 12, 10)
  await eventually(() => expect(new Set(seen.calls.map(({ key, n }) => `${key} ${n}`)).size).toBe(360))
  expect(refusals).toEqual([])
})
