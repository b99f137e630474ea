import type { TopologyView } from '../../src/api/schemas/topology.ts'
import { perSecond } from '../parts/rate.ts'

type Publishes = TopologyView['publishes'][number]

/** So many a second cannot be stored that it shows. */
const SHOWS = 0.05

export const isFailing = ({ failedPerSecond }: Publishes): boolean => (failedPerSecond ?? 0) >= SHOWS

/** How much flows, and what fails of it: `3.0/s`, `! 1.0/s · 0.5/s fail`. */
export function flowOf(edge: Publishes): string {
  const stored = perSecond(edge.storedPerSecond)
  return isFailing(edge) ? `! ${stored} · ${perSecond(edge.failedPerSecond)} fail` : stored
}
