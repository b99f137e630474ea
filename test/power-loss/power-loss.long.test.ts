/** Takes more than an hour on two busy cores, most of it elections of three servers. Linux with strace only. */
import { minutes } from '@malha/mesh'
import { beforeAll, describe, expect, test } from 'vitest'
import { configurations, EVENTS, type Expected, SPOOLED_EVENTS, spools } from './configurations.ts'
import { measure, measureSpool, type Result } from './measure.ts'
import { record, type Recording } from './recording.ts'
import type { Configuration } from './power-failure.ts'
import { recordSpool } from './spool-failure.ts'
import { needStrace } from './traced.ts'

const PLAN = { count: 100, seed: 1, lanes: 3 }

beforeAll(() => needStrace())

const recordings = new Map<string, Promise<Recording>>()

function recordingOf(key: string, make: () => Promise<Recording>): Promise<Recording> {
  const recording = recordings.get(key) ?? make()
  recordings.set(key, recording)
  return recording
}

/** With everything kept nothing is lost, whatever the configuration: what is lost otherwise, the cut took. */
function expectLoss(result: Result): void {
  expect(result).toMatchObject({ cuts: PLAN.count, byLuck: { all: { withLoss: 0 } } })
  expect(result.lost).toBeGreaterThan(0)
}

function expectNoLoss(result: Result): void {
  const none = { lost: 0, broken: 0, stuck: 0, doubled: 0, passedOver: 0, floorBeyondEnd: 0 }
  expect(result).toMatchObject({ cuts: PLAN.count, ...none })
  expect(result.acknowledged).toBeGreaterThan(0)
}

type Named = Expected & { name: string; fileSystem: string }
const titled = <T extends Named>(one: T) => [`${one.name} (${one.fileSystem})`, one] as const
const losing = ({ loses }: Expected): boolean => loses === true
const keeping = ({ loses }: Expected): boolean => loses === false

async function measured(one: Configuration): Promise<Result> {
  const { replicas, syncAlways } = one
  const make = (): Promise<Recording> => record({ replicas, syncAlways, events: EVENTS })
  return measure(await recordingOf(`${replicas} ${syncAlways}`, make), one, PLAN)
}

async function measuredSpool(one: (typeof spools)[number]): Promise<Result> {
  return measureSpool(await recordingOf('spool', () => recordSpool(SPOOLED_EVENTS)), one, PLAN)
}

describe(
  'cut at 100 points, what was acknowledged is there, and the handler gets on with it',
  { timeout: minutes(40) },
  () => {
    test.for(configurations.filter(keeping).map(titled))('%s', async ([, one]) => expectNoLoss(await measured(one)))
    test.for(spools.filter(keeping).map(titled))('%s', async ([, one]) => expectNoLoss(await measuredSpool(one)))
  },
)

describe('cut at 100 points, some of what was acknowledged is lost', { timeout: minutes(40) }, () => {
  test.for(configurations.filter(losing).map(titled))('%s', async ([, one]) => expectLoss(await measured(one)))
  test.for(spools.filter(losing).map(titled))('%s', async ([, one]) => expectLoss(await measuredSpool(one)))
})

describe(
  'cut at 100 points, what was acknowledged may be lost, and is there when everything is kept',
  { timeout: minutes(40) },
  () => {
    const rarely = configurations.filter(({ loses }) => loses === 'rarely').map(titled)
    test.for(rarely)('%s', async ([, one]) =>
      expect(await measured(one)).toMatchObject({ cuts: PLAN.count, byLuck: { all: { withLoss: 0 } } }),
    )
  },
)
