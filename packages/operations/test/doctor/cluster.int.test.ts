import { defineService, event, stream } from '@malha/mesh'
import { eventually, testCluster, testMesh } from '@malha/testing'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { examine } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', { stream: orders, schema: z.object({ n: z.number() }) })

it('every server of a cluster is asked for its version, and one that is away is told, with the replicas it had', async () => {
  await using cluster = await testCluster()
  await using test = await testMesh({ server: cluster, replicas: 3 })
  const { mesh } = test
  await mesh.provision(defineService('shop', { handlers: {}, publishes: [placed] }))
  const servers = cluster.nodes.map(({ url }) => url.replace('nats://', ''))
  await eventually(async () => {
    const { findings } = await examine(mesh, { servers })
    expect(findings.filter(({ check }) => check === 'servers')).toMatchObject([
      { state: 'ok', what: expect.stringMatching(/^3, nats-server 2\./) },
    ])
  })

  const connected = mesh.nats.getServer()
  const other = cluster.nodes.find(({ url }) => !url.endsWith(connected))!
  await other.kill()
  await eventually(
    async () => {
      const { findings } = await examine(mesh, { servers })
      const told = findings.map(({ check, state, what }) => `${check} ${state} ${what}`)
      expect(told).toContainEqual('servers warn it could not be asked for its version from here')
      expect(told).toContainEqual(
        expect.stringMatching(/^streams warn its replicas of \d+ streams are offline or behind: /),
      )
    },
    { timeoutMs: 30_000 },
  )
})
