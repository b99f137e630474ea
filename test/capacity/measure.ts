import { defineService } from '@malha/mesh'
import type { GrowthResult } from '../bench/growth/run-growth.ts'
import { thisMachine, theVersions } from '../bench/machine.ts'
import type { BenchResult } from '../bench/result.ts'
import { constantsOfBench, curvesOfGrowth } from './from-bench.ts'
import { measureMemory } from './memory.ts'
import { orderPlaced, publishOrders } from './orders.ts'
import { measureRates } from './rates.ts'
import { measureRows } from './rows.ts'
import { startServer } from './servers.ts'
import { measureStored } from './stored.ts'

type Given = { bench: BenchResult; growth: GrowthResult; say: (line: string) => void }

const UNITS: Readonly<Record<string, string>> = { Bytes: 'bytes', Share: '' }
const GIVEN = {
  operationBytes: { value: 700, unit: 'bytes', source: 'docs/performance/letters.md, 2026-11-23' },
  usableDisk: { value: 0.9, unit: '', source: 'as in deploy/helm-values/nats.yaml: max_file 90 of 100 GiB' },
  goMemory: { value: 0.75, unit: '', source: 'as in deploy/helm-values/nats.yaml: GOMEMLIMIT 6 of 8 GiB' },
  busyShare: { value: 0.7, unit: '', source: 'chosen: what is busier makes others wait' },
} as const

/** All constants, in the form that plans read. */
export async function measureAll({ bench, growth, say }: Given): Promise<object> {
  const machine = thisMachine()
  const versions = await theVersions()
  const source = `test/capacity, ${new Date().toISOString().slice(0, 10)}, ${machine.cpu}`
  say('stored bytes')
  const stored = await measureStored()
  say('bytes on disk')
  const disk = { diskShare: await diskShare() }
  say('rows of ClickHouse')
  const rows = await measureRows()
  const memory = await measureMemory(say)
  const rates = await measureRates(say)
  const measured = Object.fromEntries(
    Object.entries({ ...stored, ...disk, ...rows, ...memory, ...rates }).map(([name, value]) => [
      name,
      { value, unit: unitOf(name), source },
    ]),
  )
  return {
    measuredOn: `${bench.machine.cores} shared cores, the servers and their clients among them (${bench.machine.cpu})`,
    machine,
    versions,
    constants: { ...measured, ...GIVEN, ...constantsOfBench(bench) },
    curves: curvesOfGrowth(growth),
  }
}

const unitOf = (name: string): string =>
  Object.entries(UNITS).find(([end]) => new RegExp(`${end}(R[13])?$`).test(name))?.[1] ?? ''

/** What a server's folder takes, as a share of what it says that is stored; of one that has other servers beside it, if that is more. */
async function diskShare(): Promise<number> {
  const shares: number[] = []
  for (const replicas of [1, 3] as const) {
    await using server = await startServer({ replicas })
    const { mesh, jsm } = server
    await mesh.provision(defineService('shop', { handlers: {}, publishes: [orderPlaced] }))
    await publishOrders(mesh, { keyed: true, traced: false, bytes: 1024, count: 100_000 })
    const { state } = await jsm.streams.info('ORDERS')
    shares.push(Math.max(...(await server.onDisk())) / state.bytes)
  }
  return Number(Math.max(...shares).toPrecision(3))
}
