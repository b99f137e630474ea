import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type NatsNode, startNatsCluster } from '@malha/stack'
import { expect, test } from 'vitest'
import { eventually } from '../src/eventually.ts'
import { type FaultProxy, faultProxy } from '../src/fault-proxy.ts'

test('nodes whose routes go through proxies lose each other when those are cut, though the third knows both', async () => {
  await using pool = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'malha-test-'))
  pool.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  const proxies = new Map<string, FaultProxy>()
  const cluster = await startNatsCluster({
    dataDir,
    async routeThrough({ from, to, port }) {
      const proxy = pool.use(await faultProxy({ target: port }))
      proxies.set(`${from} ${to}`, proxy)
      return proxy.port
    },
  })
  pool.use(cluster)
  const [first, second, third] = cluster.nodes as [NatsNode, NatsNode, NatsNode]
  await eventually(async () => expect(await neighbours(first)).toEqual(['n2', 'n3']))
  const between = [proxies.get('n1 n2')!, proxies.get('n2 n1')!]
  await Promise.all(between.map((proxy) => proxy.refuse()))
  // A node that joins anew makes the third tell of it.
  await second.kill()
  await second.start()
  await eventually(async () => expect(await neighbours(third)).toEqual(['n1', 'n2']))
  expect([await neighbours(first), await neighbours(second)]).toEqual([['n3'], ['n3']])
  await Promise.all(between.map((proxy) => proxy.accept()))
  await eventually(async () => expect(await neighbours(first)).toEqual(['n2', 'n3']))
})

async function neighbours(node: NatsNode): Promise<string[]> {
  const answer = await fetch(`${node.monitorUrl}/routez`)
  const { routes } = (await answer.json()) as { routes?: { remote_name: string }[] }
  return [...new Set(routes?.map(({ remote_name }) => remote_name))].toSorted()
}
