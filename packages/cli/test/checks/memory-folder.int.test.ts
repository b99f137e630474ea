import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { memoryFolder } from '../../src/checks/memory-folder.ts'

test('there is no folder in memory for whoever says where to write', async () => {
  await using folder = await memoryFolder({ TMPDIR: '/tmp' })
  expect(folder.path).toBeUndefined()
})

test('what a killed run left in memory goes with the next one, and that goes with itself', async ({ skip }) => {
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  const left = `/dev/shm/malha-tests-${pid}-left`
  const own = `/dev/shm/malha-tests-${process.pid}-own`
  await using before = await memoryFolder({})
  const running = before.path ?? skip('this machine has too little memory for such a folder')
  await using made = new AsyncDisposableStack()
  for (const one of [left, own]) {
    await mkdir(one)
    made.defer(() => rm(one, { recursive: true, force: true }))
  }
  let path = ''
  {
    await using next = await memoryFolder({})
    path = next.path!
    expect([left, own, path, running].map(existsSync)).toEqual([false, true, true, true])
  }
  expect(existsSync(path)).toBe(false)
})
