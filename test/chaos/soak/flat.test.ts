import { expect, test } from 'vitest'
import type { ProcessKind } from '../system.ts'
import { growthOf } from './flat.ts'
import type { Sample } from './sample.ts'

/** A process over half an hour, as `at` says by the share of the time that is over. */
function faults(at: (share: number) => Partial<Sample>, kind: ProcessKind = 'service'): string[] {
  const samples = Array.from({ length: 181 }, (_, n): Sample => {
    const usual = { atMs: n * 10_000, pid: 7, rssMb: 150, handles: 30 }
    return { ...usual, ...at(n / 180) }
  })
  return growthOf([{ name: 'provider', kind, samples }])[0]!.faults
}

test('what warms up and then moves a little is flat', () => {
  expect(faults((share) => ({ rssMb: share < 0.2 ? 90 : 150 + 10 * Math.sin(share * 40) }))).toEqual([])
})

test('what grows all the time is told: memory, and open files', () => {
  expect(faults((share) => ({ rssMb: 100 + 100 * share }))).toEqual(['memory grew from 138 to 188 MB'])
  expect(faults((share) => ({ handles: Math.round(20 + 40 * share) }))).toEqual(['open files grew from 35 to 55'])
})

test('a process that was started again tells nothing of the time before', () => {
  expect(faults((share) => ({ pid: share < 0.5 ? 7 : 8 }))).toEqual(['it did not run all the time'])
})

test('what a broker keeps is not judged', () => {
  expect(faults((share) => ({ rssMb: 100 + 100 * share }), 'broker')).toEqual([])
})
