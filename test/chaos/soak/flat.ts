import { median } from '../../bench/ratio.ts'
import type { Sample, Series } from './sample.ts'

/** How a process was after it had warmed up, and at the end: medians of a quarter of the time each. */
export type Growth = Pick<Series, 'name' | 'kind'> & {
  rssMb: [before: number, after: number]
  handles: [before: number, after: number]
  /** What grew, a phrase each; empty when it stayed flat, or when it is no process of ours. */
  faults: string[]
}

/** Memory of a Node.js process moves by that much without a leak: its heap grows when it is convenient. */
const MEMORY = { factor: 1.15, mb: 16 }
const HANDLES = 4

/**
 * What grew over a run in which nothing was broken. A quarter is for warming up, so the second is compared with the last.
 * The broker and the database keep what is stored, so they are shown, and not judged.
 */
export function growthOf(series: readonly Series[]): Growth[] {
  return series.map(({ name, kind, samples }) => {
    const end = samples.at(-1)?.atMs ?? 0
    const between = (from: number, to: number): Sample[] =>
      samples.filter(({ atMs }) => atMs >= end * from && atMs <= end * to)
    const [early, late] = [between(0.25, 0.5), between(0.75, 1)]
    const of = (what: 'rssMb' | 'handles'): [number, number] => [
      Math.round(median(early.map((one) => one[what]))),
      Math.round(median(late.map((one) => one[what]))),
    ]
    const growth = { name, kind, rssMb: of('rssMb'), handles: of('handles') }
    const isOurs = kind === 'service' || kind === 'load'
    return { ...growth, faults: isOurs ? faultsOf(growth, samples) : [] }
  })
}

function faultsOf({ rssMb, handles }: Pick<Growth, 'rssMb' | 'handles'>, samples: readonly Sample[]): string[] {
  const faults: string[] = []
  if (rssMb[1] > rssMb[0] * MEMORY.factor && rssMb[1] > rssMb[0] + MEMORY.mb)
    faults.push(`memory grew from ${rssMb[0]} to ${rssMb[1]} MB`)
  if (handles[1] > handles[0] + HANDLES) faults.push(`open files grew from ${handles[0]} to ${handles[1]}`)
  if (new Set(samples.map(({ pid }) => pid)).size > 1) faults.push('it did not run all the time')
  return faults
}
