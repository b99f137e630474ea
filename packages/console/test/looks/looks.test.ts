import { describe, expect, test } from 'vitest'
import { publishRates, ratesOf, storedPerSecond } from '../../src/looks/rates.ts'
import { chartsOf, watched } from '../../src/looks/watched.ts'
import { counted, handler, instance, lagOf, publishing, sample } from './some-samples.ts'

const one = (seconds: number, counts: readonly [number, number]) =>
  sample(seconds, handler({ instances: [counted('a', seconds, counts)] }))

describe('rates', () => {
  test('are what each process counted between two looks, by its own clock', () => {
    expect(ratesOf([one(0, [100, 5]), one(2, [140, 6])], handler())).toEqual({
      donePerSecond: 20,
      failedPerSecond: 0.5,
    })
    // Older than ten seconds is not now.
    expect(ratesOf([one(0, [0, 0]), one(60, [1000, 0]), one(62, [1010, 0])], handler()).donePerSecond).toBe(5)
  })

  test('add up over processes; one that began meanwhile began with nothing, one that is gone counts no more', () => {
    const before = sample(0, handler({ instances: [counted('a', 0, [100, 0]), counted('gone', 0, [900, 0])] }))
    const fresh = { ...counted('b', 2, [30, 0]), startedAt: counted('b', 1, [0, 0]).at }
    const now = sample(2, handler({ instances: [counted('a', 2, [120, 0]), fresh] }))
    expect(ratesOf([before, now], handler()).donePerSecond).toBe(10 + 30)
  })

  test('of what a service publishes are those of its processes together, and never negative when one comes again', () => {
    const edge = { service: 'shop', subject: 'order.paid' }
    const before = publishing(0, { a: [100, 0], b: [900, 2] })
    expect(publishRates([before, publishing(2, { a: [120, 0], b: [906, 4] })], edge)).toEqual({
      storedPerSecond: 10 + 3,
      failedPerSecond: 1,
    })
    // Its name is the same, and it counts from nothing.
    const again = publishing(2, { a: [120, 0] }, { c: [8, 0] })
    expect(publishRates([before, again], edge)).toEqual({ storedPerSecond: 10 + 8, failedPerSecond: 0 })
    expect(publishRates([before, publishing(2, { a: [4, 0] })], edge).storedPerSecond).toBe(0)
    expect(publishRates([before, publishing(2, { a: [120, 0] })], { ...edge, subject: 'order.lost' })).toEqual({
      storedPerSecond: 0,
      failedPerSecond: 0,
    })
    const unknown = { storedPerSecond: null, failedPerSecond: null }
    expect(publishRates([before], edge)).toEqual(unknown)
    expect(publishRates([before, before], { ...edge, service: 'billing' })).toEqual(unknown)
  })

  test('are not known of one look, of processes that do not count, and of a stream that was made again', () => {
    const unknown = { donePerSecond: null, failedPerSecond: null }
    expect(ratesOf([], handler())).toEqual(unknown)
    expect(ratesOf([one(0, [100, 0])], handler())).toEqual(unknown)
    const silent = [sample(0, handler()), sample(2, handler())]
    expect(ratesOf(silent, handler())).toEqual(unknown)
    const streams = (last: number, next: number) =>
      storedPerSecond([sample(0, handler(), { lastSeq: last }), sample(2, handler(), { lastSeq: next })], 'ORDERS')
    expect(streams(100, 140)).toBe(20)
    expect(streams(100, 3)).toBeNull()
    expect(storedPerSecond([sample(0, handler())], 'GONE')).toBeNull()
  })
})

describe('a handler is', () => {
  const later = (over: Parameters<typeof handler>[0], { open = 0, before = handler(), openBefore = 0 } = {}) =>
    watched([sample(0, before, { open: openBefore }), sample(30, handler(over), { open })], handler(over))

  test('failing when nobody runs it, its breaker is open, calls never return, or it has a fault', () => {
    expect(later({ instances: [] })).toMatchObject({ state: 'failing', reasons: ['no instance answers'] })
    const breaker = { state: 'open', since: null, probeAt: null } as const
    expect(later({ breaker })).toMatchObject({ state: 'failing', reasons: ['its breaker is open'] })
    expect(later({ instances: [instance('a', { leaked: 2 })] })).toMatchObject({ state: 'failing' })
    expect(later({ fault: 'no such handler' })).toMatchObject({ state: 'failing', reasons: ['no such handler'] })
  })

  test('failing while its dead letters grow, and not because it has some', () => {
    expect(later({}, { open: 3, openBefore: 3 })).toMatchObject({ state: 'runs', open: 3 })
    expect(later({}, { open: 5, openBefore: 3 })).toMatchObject({
      state: 'failing',
      reasons: ['dead letters grow: 2 more in 30 s'],
    })
  })

  test('compared with when it was first there, where it is new', () => {
    const none = { ...sample(0, handler()), handlers: [] }
    const samples = [none, sample(10, handler()), sample(20, handler(), { open: 4 })]
    expect(watched(samples, handler()).reasons).toEqual(['dead letters grow: 4 more in 10 s'])
  })

  test('failing when it falls behind, behind when it works off what it has, and neither for what just came', () => {
    const before = handler({ lag: lagOf(1000, 60_000) })
    expect(later({ lag: lagOf(1500, 90_000) }, { before })).toMatchObject({
      state: 'failing',
      reasons: ['it falls behind: 500 more in 30 s'],
    })
    expect(later({ lag: lagOf(900, 90_000) }, { before })).toMatchObject({ state: 'behind', reasons: [] })
    expect(later({ lag: lagOf(5000, 300) })).toMatchObject({ state: 'runs' })
  })

  test('paused when somebody paused it, whatever else', () => {
    const paused = { until: null, who: 'eva', reason: 'dmitri moves', at: '' }
    expect(later({ paused, instances: [] })).toMatchObject({
      state: 'paused',
      reasons: ['paused by eva: dmitri moves'],
    })
  })
})

test('charts have a value for each look, and none where it was not seen', () => {
  const gone = { ...sample(4, handler()), handlers: [] }
  const charts = chartsOf([one(0, [0, 0]), one(2, [8, 2]), gone], handler())
  expect(charts.atMs).toHaveLength(3)
  expect(charts.lag).toEqual([0, 0, null])
  expect(charts.donePerSecond).toEqual([null, 4, null])
  expect(charts.failedPerSecond).toEqual([null, 1, null])
})
