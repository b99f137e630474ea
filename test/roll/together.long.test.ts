import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { thisRelease } from '../chaos/system/previous-release.ts'
import { roll } from './run.ts'
import { wrongOf } from './wrong.ts'

test('all workloads rolled at once and a broker retired, under load: nothing lost, nothing twice, nobody waits', async () => {
  await using opened = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'malha-roll-'))
  opened.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const release = thisRelease('this one')
  const result = await roll({
    folder,
    releases: { old: release, new: release },
    workloads: 'together',
    brokers: 1,
    scale: 0.2,
    lameDuckGraceMs: 3000,
    centers: 5,
    events: 30,
  })
  expect(wrongOf(result, 'busy')).toEqual([])
  expect(result.pods).toHaveLength(10)
  expect(result.endToEnd.requests).toBeGreaterThan(10)
})
