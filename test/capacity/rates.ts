import { defineService } from '@malha/mesh'
import { processCpuUs } from '../bench/process-figures.ts'
import { median } from '../bench/ratio.ts'
import { orderPlaced, publishOrders } from './orders.ts'
import { type Server, startServer } from './servers.ts'

const BYTES = 1024
const ROUNDS = 3

/** What syncing each message costs, and how much of a stream's CPU its leader takes: shares, by the name of their constant. */
export async function measureRates(say: (line: string) => void): Promise<Record<string, number>> {
  say('rates: sync_interval always, one server')
  const syncShareR1 = await syncShare(1, 8_000)
  say('rates: sync_interval always, three servers')
  const syncShareR3 = await syncShare(3, 8_000)
  say('rates: the leader of three')
  return { syncShareR1, syncShareR3, leaderShare: await leaderShare() }
}

/** The rate with each message synced, as a share of that without, on the same disk: the median of rounds that take turns. */
async function syncShare(replicas: 1 | 3, count: number): Promise<number> {
  const shares: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const rates: number[] = []
    for (const syncAlways of [false, true]) {
      await using server = await startServer({ replicas, syncAlways })
      await publishing(server, 2_000)
      const startedAt = performance.now()
      await publishing(server, count)
      rates.push(count / (performance.now() - startedAt))
    }
    shares.push(rates[1]! / rates[0]!)
  }
  return round3(median(shares))
}

async function leaderShare(): Promise<number> {
  await using server = await startServer({ replicas: 3 })
  await publishing(server, 2_000)
  const { cluster } = await server.jsm.streams.info('ORDERS')
  const before = await Promise.all(server.pids.map(processCpuUs))
  await publishing(server, 60_000)
  const took = (await Promise.all(server.pids.map(processCpuUs))).map((us, at) => us - before[at]!)
  const leader = server.nodes.indexOf(cluster?.leader ?? '')
  return round3(took[leader]! / took.reduce((sum, us) => sum + us, 0))
}

async function publishing({ mesh }: Server, count: number): Promise<void> {
  await mesh.provision(defineService('shop', { handlers: {}, publishes: [orderPlaced] }))
  await publishOrders(mesh, { keyed: false, traced: false, bytes: BYTES, count })
}

const round3 = (value: number): number => Number(value.toPrecision(3))
