import { expect, test } from 'vitest'
import type { ChaosProcess, ChaosSystem } from '../system.ts'
import { heal } from './heal.ts'
import { doubts, holds } from './outcome.ts'
import type { RunResult } from './run.ts'

const quiet = { isQuiet: true, afterMs: 0, open: [] }
const planted = { name: 'lost-ack', does: 'loses', rule: 'handled-once', hit: ['a'], named: ['a'] }
const result = (parts: Partial<RunResult>): RunResult =>
  ({
    rest: quiet,
    unhealed: [],
    idle: [],
    unheard: [],
    misends: {},
    crashes: {},
    refused: [],
    verdict: { holds: true, rules: [], messages: 10, excused: 3 },
    ...parts,
  }) as unknown as RunResult

test('a run holds only when it came to rest, was healed, and what was planted was hit', () => {
  expect(holds(result({}))).toBe(true)
  expect(holds(result({ planted: { ...planted, hit: [], named: [] } }))).toBe(false)
  expect(doubts(result({ planted: { ...planted, hit: [], named: [] } })).join()).toContain('lost-ack hit no message')
  expect(doubts(result({ planted: { ...planted, named: [] } })).join()).toContain('names none of them')
  expect(doubts(result({ planted }))).toEqual([])
  expect(holds(result({ unhealed: ['nats-1 could not be healed'] }))).toBe(false)
  expect(holds(result({ rest: { ...quiet, isQuiet: false } }))).toBe(false)
  expect(holds(result({ idle: ['kill-broker'] }))).toBe(false)
  expect(holds(result({ unheard: ['load.noted'] }))).toBe(false)
  expect(holds(result({ misends: { TypeError: 1 } }))).toBe(false)
  expect(holds(result({ crashes: { provider: 1 } }))).toBe(false)
  expect(holds(result({ refused: ['load - Publish Violation - Subject "load.noted"'] }))).toBe(false)
  const verdict = { holds: true, rules: [], messages: 10, excused: 0, torn: [] }
  expect(holds(result({ verdict: { ...verdict, excused: 4 } }))).toBe(false)
  expect(holds(result({ verdict: { ...verdict, messages: 0 } }))).toBe(false)
})

test('what cannot be healed is told, and all else is healed', async () => {
  const healed: string[] = []
  const process = (name: string, kind: ChaosProcess['kind'], start: () => Promise<void>): ChaosProcess =>
    ({ name, kind, resume: () => undefined, start }) as ChaosProcess
  const starts = (name: string) => () => Promise.resolve(void healed.push(name))
  const system = {
    links: [],
    processes: [
      process('clickhouse', 'database', () => Promise.reject(new Error('its disk is gone'))),
      process('partner-maas', 'partner', starts('partner-maas')),
      process('provider', 'service', starts('provider')),
    ],
    setPartnerFault: () => Promise.reject(new Error('no answer')),
  } as unknown as ChaosSystem
  expect(await heal(system)).toEqual([
    'partner-maas could not be healed: Error: no answer',
    'clickhouse could not be healed: Error: its disk is gone',
  ])
  expect(healed).toEqual(['partner-maas', 'provider'])
})
