import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rmdir } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { memoryFolder } from '../../src/checks/memory-folder.ts'

test('there is no folder in memory for whoever says where to write', async () => {
  await using folder = await memoryFolder({ TMPDIR: '/tmp' })
  expect(folder.path).toBeUndefined()
})

test('what a killed run left in memory goes with the next one, and that goes with itself', async () => {
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  const left = `/dev/shm/malha-tests-${pid}-left`
  const own = `/dev/shm/malha-tests-${process.pid}-own`
  await using before = await memoryFolder({})
  // None is to be had here.
  if (!before.path) return
  let path = ''
  {
    for (const one of [left, own]) await mkdir(one)
    await using next = await memoryFolder({})
    path = next.path!
    expect([left, own, path, before.path].map(existsSync)).toEqual([false, true, true, true])
  }
  expect(existsSync(path)).toBe(false)
  await rmdir(own)
})
