import type { Metrics } from '@malha/mesh'

/** Metrics that keep their last value (gauges) or sum (the others), by name. */
export function recordedMetrics(): { metrics: Metrics; value: (name: string) => number } {
  const values = new Map<string, number>()
  const add = (name: string, by: number): void => void values.set(name, (values.get(name) ?? 0) + by)
  return {
    value: (name) => values.get(name) ?? 0,
    metrics: {
      counter: ({ name }) => ({ add: (_labels, by = 1) => add(name, by) }),
      gauge: ({ name }) => ({ set: (_labels, to) => void values.set(name, to) }),
      histogram: ({ name }) => ({ observe: (_labels, by) => add(name, by) }),
    },
  }
}
