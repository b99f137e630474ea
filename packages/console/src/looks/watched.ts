import type { ListedHandler } from '@malha/operations'
import { type HandlerRates, ratesOf } from './rates.ts'
import type { Sample } from './sampler.ts'
import { type Before, BOUNDS, type Standing, standingOf } from './standing.ts'

type Named = Pick<ListedHandler, 'service' | 'handler'>

/** A shorter time says nothing. */
const LEAST_MS = 5000

/** How a handler does, from what was seen of it lately. */
export type Watched = HandlerRates & Standing & { open: number }

export function watched(samples: readonly Sample[], handler: ListedHandler): Watched {
  const open = openOf(samples.at(-1), handler)
  return { ...ratesOf(samples, handler), ...standingOf(handler, open, beforeOf(samples, handler)), open }
}

/** Columns of charts: a value for each time, null where it was not seen. */
export type Charts = {
  atMs: number[]
  lag: (number | null)[]
  oldestSeconds: (number | null)[]
  donePerSecond: (number | null)[]
  failedPerSecond: (number | null)[]
}

export function chartsOf(samples: readonly Sample[], handler: Named): Charts {
  const charts: Charts = { atMs: [], lag: [], oldestSeconds: [], donePerSecond: [], failedPerSecond: [] }
  for (const [index, sample] of samples.entries()) {
    const lag = find(sample, handler)?.lag
    const rates = ratesOf(samples.slice(Math.max(0, index - SLICE), index + 1), handler)
    charts.atMs.push(sample.atMs)
    charts.lag.push(lag?.messages ?? null)
    charts.oldestSeconds.push(lag ? lag.oldestMs / 1000 : null)
    charts.donePerSecond.push(rates.donePerSecond)
    charts.failedPerSecond.push(rates.failedPerSecond)
  }
  return charts
}

/** Samples that a rate may need. */
const SLICE = 12

function beforeOf(samples: readonly Sample[], handler: Named): Before | undefined {
  const now = samples.at(-1)
  const isThen = (one: Sample): boolean =>
    one.atMs >= now!.atMs - BOUNDS.withinMs && one.atMs <= now!.atMs - LEAST_MS && find(one, handler) !== undefined
  const sample = now && samples.find(isThen)
  const then = sample && find(sample, handler)
  return then && { lag: then.lag?.messages ?? 0, open: openOf(sample, handler), agoMs: now.atMs - sample.atMs }
}

const find = ({ handlers }: Sample, { service, handler }: Named): ListedHandler | undefined =>
  handlers.find((one) => one.service === service && one.handler === handler)

const openOf = (sample: Sample | undefined, { service, handler }: Named): number =>
  sample?.open.get(`${service}/${handler}`) ?? 0
