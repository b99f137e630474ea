import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openDataDir } from '../../src/system/data-dir.ts'

async function folder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'malha-test-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

test('a directory that a living process has is refused by naming it', async () => {
  await using dir = await folder()
  await using first = await openDataDir(dir.path)
  await expect(openDataDir(first.path)).rejects.toThrow(`${dir.path} is in use by process ${process.pid}`)
})

test('after a clean end it is free, and nothing says crash', async () => {
  await using dir = await folder()
  await (await openDataDir(dir.path))[Symbol.asyncDispose]()
  await using again = await openDataDir(dir.path)
  expect(again.afterCrash).toBe(false)
})

test('what a killed process left is taken over, also when its pid lives again or the lock is half written', async () => {
  await using dir = await folder()
  const child = spawn('true')
  await once(child, 'exit')
  for (const left of [
    JSON.stringify({ pid: child.pid, started: '1' }),
    JSON.stringify({ pid: 1, started: 'x' }),
    '{"pi',
  ]) {
    await writeFile(join(dir.path, 'malha.lock'), left)
    await using taken = await openDataDir(dir.path)
    expect(taken.afterCrash).toBe(true)
    expect(JSON.parse(await readFile(join(dir.path, 'malha.lock'), 'utf8'))).toMatchObject({ pid: process.pid })
  }
})

test('a temporary directory is removed at the end, a given one is kept', async () => {
  await using dir = await folder()
  const temporary = await openDataDir()
  await temporary[Symbol.asyncDispose]()
  expect(existsSync(temporary.path)).toBe(false)
  await (await openDataDir(dir.path))[Symbol.asyncDispose]()
  expect(existsSync(dir.path)).toBe(true)
})
