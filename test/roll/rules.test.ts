import { describe, expect, test } from 'vitest'
import type { Evidence } from './evidence.ts'
import type { StageLine } from './recorder.ts'
import { breachesOf, endToEnd } from './rules.ts'
import { strategyOf } from './strategy.ts'
import { quantile, waitsOf } from './waits.ts'

const HANDLER = 'provider.maas'
const ACK_WAIT_MS = 15_000

/** A message of sequence `seq`, stored at 1000 and settled 20 ms later. */
function stages(seq: number, process = 'provider-0'): StageLine[] {
  const about = { handler: HANDLER, stream: 'CENTERS', seq, process }
  return [
    { ...about, stage: 'delivered', at: 1010 },
    { ...about, stage: 'settled', at: 1020 },
  ]
}

/** Of three requests, all done within 100 ms, with nothing that must not be. */
function good(): Evidence {
  const ids = ['a', 'b', 'c']
  return {
    stages: ids.flatMap((_, index) => stages(index + 1)),
    stored: ids.flatMap((id, index) => [
      {
        stream: 'CENTERS',
        seq: index + 1,
        type: 'center.registered',
        subject: `center.registered.3.${id}`,
        time: 1000,
      },
      { stream: 'CENTERS', seq: index + 4, type: 'center.onboarded', subject: `center.onboarded.3.${id}`, time: 1100 },
    ]),
    durables: [{ handler: HANDLER, ackWaitMs: ACK_WAIT_MS, deliveries: 3 }],
    met: { accepted: new Map(ids.map((id) => [id, 1005])), answerMs: [5, 6, 7], failures: [], queued: 0 },
    ended: [{ pod: 'provider-0', exit: { code: 0, signal: null }, drainMs: 300, isCutOff: false }],
    brokers: [],
    unready: [],
    refusals: [],
  }
}

const rulesOf = (evidence: Evidence): string[] => breachesOf(evidence).map(({ rule }) => rule)

describe('what must hold of a roll', () => {
  test('holds of one in which nothing was amiss', () => {
    expect(breachesOf(good())).toEqual([])
  })

  test('a request without its answer is told', () => {
    const evidence = good()
    expect(rulesOf({ ...evidence, met: { ...evidence.met, failures: ['POST /centers: answered 503'] } })).toEqual([
      'api-answers',
    ])
  })

  test('so is an instance that was not ready any more before it was asked to end', () => {
    const unready = [{ pod: 'distribution-center-1', why: 'no answer' }]
    expect(rulesOf({ ...good(), unready })).toEqual(['stays-ready'])
  })

  test('so is a right that a process lacks', () => {
    const refusals = ['provider: Publish Violation - Subject "x"', 'provider: Publish Violation - Subject "x"']
    expect(rulesOf({ ...good(), refusals })).toEqual(['rights-suffice'])
  })

  test('so is one that was accepted and never finished', () => {
    const evidence = good()
    const stored = evidence.stored.filter(({ subject }) => subject !== 'center.onboarded.3.b')
    expect(endToEnd({ ...evidence, stored })).toMatchObject({ requests: 3, unfinished: 1 })
    expect(rulesOf({ ...evidence, stored })).toEqual(['in-time'])
  })

  test('so is a roll in which requests take too long', () => {
    const evidence = good()
    const stored = evidence.stored.map((one) => ({ ...one, time: one.time + (one.seq > 3 ? 2500 : 0) }))
    expect(rulesOf({ ...evidence, stored })).toEqual(['in-time'])
  })

  test('so is a message that came to nobody at first, and to somebody after its ack_wait', () => {
    const evidence = good()
    const late = stages(2).map((line) => ({ ...line, at: line.at + ACK_WAIT_MS }))
    const seen = [...stages(1), ...late, ...stages(3)]
    expect(rulesOf({ ...evidence, stages: seen })).toEqual(['nothing-waits'])
  })

  test('so is one that a process had, and that came to another after its ack_wait', () => {
    const evidence = good()
    const [delivered] = stages(2)
    const again = stages(2, 'provider-1').map((line) => ({ ...line, at: line.at + ACK_WAIT_MS }))
    const seen = [...stages(1), delivered!, ...again, ...stages(3)]
    expect(rulesOf({ ...evidence, stages: seen })).toEqual(['nothing-waits'])
  })

  test('one that a server was just delivering when it handed over is told apart', () => {
    const evidence = good()
    const late = stages(2).map((line) => ({ ...line, at: line.at + ACK_WAIT_MS }))
    const seen = { ...evidence, stages: [...stages(1), ...late, ...stages(3)] }
    expect(waitsOf({ ...seen, brokers: [{ beganAt: 1500 }] })).toMatchObject([
      { waited: [], handedOver: ['CENTERS 2'] },
    ])
    expect(waitsOf({ ...seen, brokers: [{ beganAt: 9000 }] })).toMatchObject([
      { waited: ['CENTERS 2'], handedOver: [] },
    ])
  })

  test('one that was handed back and came to another at once is none', () => {
    const evidence = good()
    const [delivered] = stages(2)
    const again = stages(2, 'provider-1').map((line) => ({ ...line, at: line.at + 5 }))
    const seen = [...stages(1), delivered!, ...again, ...stages(3)]
    const durables = [{ ...evidence.durables[0]!, deliveries: 4 }]
    expect(breachesOf({ ...evidence, stages: seen, durables })).toEqual([])
    expect(waitsOf({ ...evidence, stages: seen, durables })).toMatchObject([{ again: 1, unseen: 0, longestGapMs: 5 }])
  })

  test('a process that had to be killed is told, and one that ended with an error', () => {
    const [ended] = good().ended
    expect(rulesOf({ ...good(), ended: [{ ...ended!, isCutOff: true }] })).toEqual(['ends-by-itself'])
    expect(rulesOf({ ...good(), ended: [{ ...ended!, exit: { code: 1, signal: null } }] })).toEqual(['ends-by-itself'])
  })
})

test('a quantile is one of the values', () => {
  expect(quantile([], 0.99)).toBe(0)
  expect(quantile([3, 1, 2], 0.5)).toBe(2)
  expect(
    quantile(
      Array.from({ length: 100 }, (_, index) => index + 1),
      0.99,
    ),
  ).toBe(99)
})

test('workloads are rolled as their manifests say', () => {
  expect(strategyOf('provider')).toMatchObject({ order: 'surge', preStopMs: 0 })
  expect(strategyOf('archive')).toMatchObject({ order: 'surge' })
  expect(strategyOf('distribution-center')).toMatchObject({ order: 'in-place', preStopMs: 5000 })
})
