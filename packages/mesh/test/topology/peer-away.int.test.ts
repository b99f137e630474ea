import { setTimeout as sleep } from 'node:timers/promises'
import { freeze, testCluster } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { connectMesh, defineService, event, stream } from '../../src/index.ts'

const orders = stream('ORDERS', { subjects: ['order.>'] })
const placed = event('order.placed', { stream: orders, schema: z.object({ n: z.number() }) })

test('streams that need a server of which the others have not heard since they were restarted are made once they do', async () => {
  await using cluster = await testCluster()
  const [first, second, third] = cluster.nodes
  const frozen = await freeze(third!)
  try {
    await Promise.all([first!.kill(), second!.kill()])
    await Promise.all([first!.start(), second!.start()])
    await using mesh = await connectMesh({ servers: [first!.url, second!.url], namespace: 'away', replicas: 3 })
    const began = mesh.start(defineService('shop', { handlers: {}, publishes: [placed] }))
    await Promise.race([began, sleep(3000)])
    frozen[Symbol.dispose]()
    const { report } = await began
    expect(report.streams.map(({ name }) => name)).toContain('away_ORDERS')
    expect(await mesh.publish(placed, { n: 1 })).toMatchObject({ stream: 'away_ORDERS' })
  } finally {
    frozen[Symbol.dispose]()
  }
})
