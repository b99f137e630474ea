import type { GrowthResult } from '../bench/growth/run-growth.ts'
import type { BenchResult, CaseResult } from '../bench/result.ts'

type Constant = { value: number; unit: string; source: string }
type Curve = { points: (readonly [number, number])[]; unit: string; source: string }

/** Constants that the benchmark has measured: nothing of it is measured twice. */
export function constantsOfBench(bench: BenchResult): Record<string, Constant> {
  const source = sourceOf('malha bench', bench)
  const constant = (name: string, unit: string, of: (found: CaseResult) => number | null | undefined): Constant => {
    const found = bench.scenarios.find((each) => each.name === name)
    const value = found && of(found)
    if (found === undefined || value === null || value === undefined) throw new Error(`the benchmark has no ${name}`)
    return { value, unit, source }
  }
  const rate = (name: string): Constant => constant(name, '/s', (of) => of.rate)
  const cpu = (name: string): Constant => constant(name, 'µs', (of) => of.serverCpuUsPerMessage)
  const insert = (name: string): Constant =>
    constant(name, 'µs', (of) => of.variants['mesh']?.['clickhouseUsPerMessage'])
  const { value } = rate('ordered-at-once')
  return {
    publishR1: rate('publish'),
    publishR1KiB: rate('publish-1KiB'),
    publishR3: rate('publish-R3'),
    publishR3KiB: rate('publish-R3-1KiB'),
    publishCpuR1: cpu('publish'),
    publishCpuR1KiB: cpu('publish-1KiB'),
    publishCpuR3: cpu('publish-R3'),
    publishCpuR3KiB: cpu('publish-R3-1KiB'),
    consumeCpuR1: cpu('consume'),
    consumeCpuR1KiB: cpu('consume-1KiB'),
    consumeCpuR3: cpu('consume-R3'),
    consumeCpuR3KiB: cpu('consume-R3-1KiB'),
    orderedUs: { value: Number((1e6 / value).toPrecision(4)), unit: 'µs', source },
    archiveRate: rate('archive'),
    archiveRateKiB: rate('archive-1KiB'),
    archiveReadCpu: cpu('archive'),
    archiveReadCpuKiB: cpu('archive-1KiB'),
    insertCpu: insert('archive'),
    insertCpuKiB: insert('archive-1KiB'),
  }
}

/** How the time of one message grows with its payload. */
export function curvesOfGrowth(growth: GrowthResult): Record<string, Curve> {
  const sizes = growth.curves.find(({ name }) => name === 'message-size')
  if (!sizes) throw new Error('the growth has no message-size')
  const curve = (figure: string): Curve => ({
    points: rising(sizes.points.map(({ x, figures }) => [x, figures[figure]!] as const)),
    unit: 'µs',
    source: sourceOf('malha bench --growth', growth),
  })
  return { publishUs: curve('publish, µs'), handleUs: curve('handle, µs') }
}

const sourceOf = (command: string, { startedAt, machine }: Pick<BenchResult, 'startedAt' | 'machine'>): string =>
  `${command}, ${startedAt.slice(0, 10)}, ${machine.cpu}`

/** Noise may make a larger message a little cheaper; a plan goes by the dearer one. */
function rising(points: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  return points.map(([x], at) => [x, Math.max(...points.slice(0, at + 1).map(([, us]) => us))] as const)
}
