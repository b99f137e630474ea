/**
 * Rolls of the whole mesh with the times of the manifests. `ROLL_FROM`: the revision that they begin with, a tag for example
 * (the commit before this one without it). `ROLL_RESULTS`: a file for what they were.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { copyOfThis, previousRelease, type Release, releaseOf, thisRelease } from '../chaos/system/previous-release.ts'
import { plantedFile } from '../chaos/plants/found.ts'
import { plantEnv } from '../chaos/plants/plants.ts'
import { nextVersion } from './next-version.ts'
import { roll, type RollOptions, type RollResult } from './run.ts'
import { summaryOf } from './summary.ts'
import { wrongOf } from './wrong.ts'

const results: Record<string, ReturnType<typeof summaryOf>> = {}
const file = process.env['ROLL_RESULTS']
afterAll(async () => {
  if (file) await writeFile(file, `${JSON.stringify(results, undefined, 2)}\n`)
})

const here = thisRelease('this one')
const NO_DRAIN = fileURLToPath(new URL('no-drain.ts', import.meta.url))
const LOAD_PLANT = fileURLToPath(new URL('../chaos/plants/load-plant.ts', import.meta.url))

/** As quick as it may be, of what is not about times. */
const QUICK = { scale: 0.2, brokers: 0, centers: 15, events: 80, lameDuckGraceMs: 3000 } as const

/**
 * A second, where it is judged how long requests take: two cores bear it and have some left for the processes that start.
 * Where a machine has nothing left, requests wait for it, rolled or not.
 */
const BORNE = { centers: 10, events: 50 } as const

type Given = Partial<RollOptions> & {
  from?: (folder: string) => Promise<Release>
  to?: (folder: string) => Promise<Release>
}

async function rolled(given: Given): Promise<RollResult> {
  await using opened = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'malha-roll-'))
  opened.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const { from, to, ...options } = given
  const old = (await from?.(join(folder, 'old'))) ?? here
  const next = (await to?.(join(folder, 'new'))) ?? here
  // What comes to standard output is the only sign of life for minutes.
  const say = (line: string): void => void process.stdout.write(`${new Date().toISOString()} ${line}\n`)
  return await roll({ ...QUICK, ...options, folder: join(folder, 'run'), releases: { old, new: next }, say })
}

const previous = (folder: string): Promise<Release> => {
  const revision = process.env['ROLL_FROM']
  return revision === undefined ? previousRelease(folder) : releaseOf(revision, folder)
}

describe('one by one, under load, nothing is lost, nothing done twice, nobody waits, and no request fails', () => {
  test('from the commit before, with the times of the manifests: every service, the archive, three brokers', async () => {
    const result = await rolled({
      from: previous,
      scale: 1,
      brokers: 3,
      centers: 15,
      events: 100,
      lameDuckGraceMs: 10_000,
    })
    const summary = summaryOf(result)
    results['from the commit before'] = summary
    expect(wrongOf(result)).toEqual([])
    // Durables were handed over before their servers left: nothing was under way then.
    expect(summary.handlers.filter(({ handedOver }) => handedOver > 0)).toEqual([])
  })

  test('to a new version of an event: those who read it first', async () => {
    const only = ['distribution-center', 'provider', 'city-registration', 'archive', 'load-worker']
    const result = await rolled({ ...BORNE, to: nextVersion, only })
    results['to a new version of an event'] = summaryOf(result)
    expect(wrongOf(result)).toEqual([])
  })

  test('and back: those who publish it first', async () => {
    const result = await rolled({
      ...BORNE,
      from: nextVersion,
      to: (folder) => copyOfThis(folder, 'this one'),
      only: ['provider', 'distribution-center'],
      // With the times of the manifests: how long requests take is judged, and at a fifth of them processes start five times
      // as densely as they would, beside each other on the same cores.
      scale: 1,
    })
    results['and back'] = summaryOf(result)
    expect(wrongOf(result)).toEqual([])
  })
})

test('in the wrong order events wait for somebody who can read them, and none is lost or given up', async () => {
  const result = await rolled({ to: nextVersion, only: ['provider', 'distribution-center'] })
  results['in the wrong order'] = summaryOf(result)
  expect(result.verdict.rules.filter(({ count }) => count > 0)).toEqual([])
  expect(result.endToEnd.unfinished).toBe(0)
  expect(result.answers.failures).toBe(0)
})

describe('what is not done as it must be is found', () => {
  const rulesOf = ({ breaches }: RollResult): Set<string> => new Set(breaches.map(({ rule }) => rule))

  test('SIGKILL in place of SIGTERM: messages wait for ack_wait', async () => {
    const result = await rolled({ only: ['provider'], signal: 'SIGKILL', partnerLatencyMs: 100 })
    expect(rulesOf(result)).toContain('nothing-waits')
    expect(result.endToEnd.unfinished).toBe(0)
  })

  test('a process that ends at SIGTERM without a drain: messages wait for ack_wait', async () => {
    const spoil = { workload: 'provider', modules: [NO_DRAIN] }
    const result = await rolled({ only: ['provider'], spoil, partnerLatencyMs: 100 })
    expect(rulesOf(result)).toContain('nothing-waits')
    expect(result.endToEnd.unfinished).toBe(0)
  })

  test('a load balancer that hears too late that a pod leaves: requests fail', async () => {
    const result = await rolled({ only: ['distribution-center'], newsMs: 10_000 })
    expect(rulesOf(result)).toContain('api-answers')
  })

  test('a message that is acknowledged and not handled: the ledger lacks it', async () => {
    await using opened = new AsyncDisposableStack()
    const folder = await mkdtemp(join(tmpdir(), 'malha-roll-'))
    opened.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
    const spoil = {
      workload: 'load-worker',
      modules: [LOAD_PLANT],
      env: plantEnv('lost-ack', { seed: 1, planted: plantedFile(folder) }),
    }
    const result = await rolled({ only: ['load-worker'], spoil, events: 200 })
    const found = result.verdict.rules.filter(({ count }) => count > 0).map(({ rule }) => rule)
    expect(found).toEqual(['handled-once'])
  })
})
