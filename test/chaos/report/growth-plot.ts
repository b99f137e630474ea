import { drawLines } from '../../bench/plots.ts'
import type { Series } from '../soak/sample.ts'

/** Memory of each process of ours over the time of a run, as SVG. */
export function growthPlot(series: readonly Series[]): string {
  const ours = series.filter(({ kind }) => kind === 'service' || kind === 'load')
  return drawLines({
    title: 'Resident memory, MB, over minutes of load',
    lines: ours.map(({ name, samples }) => ({
      name,
      points: samples.map(({ atMs, rssMb }) => [atMs / 60_000, Math.round(rssMb)]),
    })),
  })
}
