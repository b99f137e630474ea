import { days } from '@malha/mesh'
import { expect, test } from 'vitest'
import { constantsFrom, measuredConstants } from '../../src/capacity/constants.ts'
import { type LoadOptions, resolveLoad } from '../../src/capacity/load.ts'
import { planCapacity } from '../../src/capacity/plan.ts'
import { onCurve } from '../../src/capacity/sheet.ts'
import { spreadOf } from '../../src/capacity/spread.ts'

const LOAD: LoadOptions = { eventsPerSecond: 1000, bytes: 1024, retentionMs: days(7) }

test('a load that means nothing is refused with all faults at once', () => {
  const load = { eventsPerSecond: -1, bytes: 2 ** 21, retentionMs: '7d', replicas: 9, traced: 'yes', events: 4 }
  expect(() => resolveLoad(load as never)).toThrow(
    new RegExp(
      [
        'DEPLOYMENT_LOAD: 6 faults',
        'events is no part of a load',
        'eventsPerSecond is -1; a number from 0.001 to 1000000000',
        'bytes is 2097152; a whole number from 0 to 1048576',
        'retentionMs is "7d"; a number from 1000 to \\d+',
        'replicas is 9; a whole number from 1 to 5',
        'traced is "yes"; true or false',
      ].join('\\n  - '),
    ),
  )
  expect(() => resolveLoad(undefined as never)).toThrow('it is undefined; an object')
})

test('parts of a load that contradict each other are refused', () => {
  expect(() => resolveLoad({ ...LOAD, replicas: 2 })).toThrow('replicas is 2; 1, 3 or 5')
  expect(() => resolveLoad({ ...LOAD, replicas: 5, servers: 3 })).toThrow('servers is 3; 5 or more')
  expect(() => resolveLoad({ ...LOAD, ordered: true })).toThrow('keys is 0; how many there are')
  expect(() => resolveLoad({ ...LOAD, onceHandlers: 2 })).toThrow('onceHandlers is 2; 1 at most')
})

test('there are as many servers as replicas need', () => {
  expect(resolveLoad(LOAD).servers).toBe(3)
  expect(resolveLoad({ ...LOAD, replicas: 1 }).servers).toBe(1)
  expect(resolveLoad({ ...LOAD, replicas: 5 }).servers).toBe(5)
})

test('constants of one’s own take the place of those measured here, and the plan says so', () => {
  const own = constantsFrom({
    measuredOn: '64 cores',
    constants: { publishR3KiB: { value: 400_000, unit: '/s', source: 'ours, today' } },
  })
  const [ours, here] = [own, measuredConstants].map((constants) => planCapacity(LOAD, constants))
  const rate = (plan = ours!): number => plan.limits.find(({ what }) => what === 'publishes of one stream')!.most
  expect(rate()).toBeGreaterThan(rate(here))
  expect(ours!.measuredOn).toBe('64 cores')
  expect(ours!.figures.flatMap(({ from }) => from).map(({ source }) => source)).toContain('ours, today')
  expect(own.constants.eventBytes).toEqual(measuredConstants.constants.eventBytes)
})

test('constants that cannot be meant are refused with all faults at once', () => {
  const given = {
    measuredOn: 7,
    constants: {
      publishR1: { value: 5, unit: 'µs', source: 'ours' },
      publishR3: { value: -5, unit: '/s', source: '' },
      publishR9: { value: 5, unit: '/s', source: 'ours' },
      keyBytes: 12,
    },
    curves: {
      publishUs: {
        points: [
          [128, 5],
          [64, 4],
        ],
        unit: 'µs',
        source: 'ours',
      },
    },
  }
  const message = (() => {
    try {
      constantsFrom(given)
    } catch (error) {
      return String(error)
    }
    return ''
  })()
  for (const fault of [
    'DEPLOYMENT_CONSTANTS',
    'measuredOn is no text',
    'publishR1 is in "µs"; it must be in "/s"',
    'publishR3 does not say its source',
    'publishR3 has the value -5; a number from 0',
    'there is no "publishR9"; there are ',
    'keyBytes is 12; an object',
    'publishUs needs two points or more, [bytes, µs], bytes ascending',
  ])
    expect(message).toContain(fault)
  expect(() => constantsFrom([])).toThrow('it is a list; an object')
})

test('a curve is read between its points, and beyond the last as steep as before it', () => {
  const points = [
    [100, 10],
    [200, 20],
    [400, 30],
  ] as const
  expect([50, 100, 150, 300, 400, 600].map((x) => onCurve(points, x))).toEqual([10, 10, 15, 25, 30, 40])
})

test('streams are led and held as evenly as whole streams allow', () => {
  const of = (streams: number, servers: number, replicas: number): number[] => {
    const { leads, holds, cpu } = spreadOf({ streams, servers, replicas })
    return [leads, holds, cpu(0.5)]
  }
  expect(of(1, 3, 3)).toEqual([1, 1, 0.5])
  expect(of(3, 3, 3)).toEqual([1 / 3, 1, expect.closeTo(1 / 3)])
  expect(of(6, 6, 3)).toEqual([1 / 6, 1 / 2, expect.closeTo(1 / 6)])
  expect(of(4, 2, 1)).toEqual([1 / 2, 1 / 2, 1 / 2])
})
