import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '@malha/testing'
import { expect, test } from 'vitest'
import { registerCenters, untilOnboarded } from './centers.ts'
import {
  createdAt,
  eventsOf,
  expectEachFactOnce,
  expectNoDeadLetters,
  expectOneEffectEach,
  received,
  setFault,
  untilCreated,
} from './evidence.ts'
import { type ReferenceMesh, referenceMesh } from './reference-mesh.ts'

/** Delays grow to their longest only slowly: away for that long, what waits would still come late by itself. */
const AWAY_MS = 20_000
const SOON_MS = 20_000

test('a partner that was away from the start and comes back is told everything within seconds, once', async () => {
  await using mesh = await referenceMesh({ services: ['distribution-center', 'provider', 'city-registration'] })
  await setFault(mesh, 'dmitri', { mode: 'down' })
  const ids = await registerCenters(mesh, 'away', 200)
  const downSince = performance.now()
  for (const partner of ['senninha', 'maas'] as const) await untilCreated(mesh, partner, ids.length)
  // That it is away for long is what is tested.
  await sleep(AWAY_MS - (performance.now() - downSince))
  expect((await received(mesh, 'dmitri')).attempts).toBe(0)
  await setFault(mesh, 'dmitri', { mode: 'up' })
  const back = performance.now()
  await eventually(async () => (await received(mesh, 'dmitri')).created === ids.length, { timeoutMs: 60_000 })
  const tookMs = Math.round(performance.now() - back)
  say(`dmitri back after ${AWAY_MS / 1000} s: ${ids.length} cities registered within ${tookMs} ms`)
  expect(tookMs).toBeLessThan(SOON_MS)
  await untilOnboarded(mesh, ids, 30_000)
  await expectEachFactOnce(mesh, ids)
  await expectOneEffectEach(mesh, ids)
  await expectNoDeadLetters(mesh)
})

const PAIRS = 3
const RUN = 100
/** Below it two runs differ by what else the machine does; one partner waiting for another takes seconds. */
const FLOOR_MS = 1_000

test('partners in trouble do not delay another: p99 within twice the quiet run', async () => {
  await using mesh = await referenceMesh({ services: ['distribution-center', 'provider', 'city-registration'] })
  const ids: string[] = []
  const run = async (name: string): Promise<number> => {
    const mine = await registerCenters(mesh, name, RUN)
    ids.push(...mine)
    await untilCreated(mesh, 'senninha', ids.length)
    return p99(await delays(mesh, mine))
  }
  // The first run loads code and opens connections.
  await run('warm')
  const quiet: number[] = []
  const troubled: number[] = []
  for (let pair = 0; pair < PAIRS; pair += 1) {
    await untilOnboarded(mesh, ids, 60_000)
    quiet.push(await run(`quiet${pair}`))
    await untilOnboarded(mesh, ids, 60_000)
    await setFault(mesh, 'dmitri', { mode: 'down' })
    await setFault(mesh, 'maas', pair % 2 === 0 ? { mode: 'slow', latencyMs: 1_500 } : { mode: 'flaky', rate: 0.7 })
    troubled.push(await run(`trouble${pair}`))
    for (const partner of ['dmitri', 'maas'] as const) await setFault(mesh, partner, { mode: 'up' })
  }
  await untilOnboarded(mesh, ids, 60_000)
  say(
    `p99 from center.registered to provider.created of senninha, ms: quiet ${quiet.join(', ')}; with dmitri down and maas in trouble ${troubled.join(', ')}`,
  )
  expect(median(troubled)).toBeLessThanOrEqual(Math.max(2 * median(quiet), FLOOR_MS))
  await expectOneEffectEach(mesh, ids)
})

async function delays(mesh: ReferenceMesh, ids: readonly string[]): Promise<number[]> {
  const created = new Map((await createdAt(mesh, 'senninha')).map(({ centerId, at }) => [centerId, at.getTime()]))
  const registered = (await eventsOf(mesh.watch, 'CENTERS')).filter(({ type }) => type === 'center.registered')
  const times = new Map(registered.map(({ data, at }) => [data['centerId'], at.getTime()]))
  return ids.map((id) => created.get(id)! - times.get(id)!)
}

function p99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1]!
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function say(sentence: string): void {
  console.log(sentence)
}
