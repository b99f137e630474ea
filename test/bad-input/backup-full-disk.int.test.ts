import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connectMesh } from '@malha/mesh'
import { backUp, restore } from '@malha/operations'
import { testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { note, partners, shop } from '../../packages/operations/test/recovery/scene.ts'

const MAIN = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))

/** Half a kibibyte each (POSIX `ulimit -f`): what one file may have. A write past that takes a part, and fails as one without space does. */
const BLOCKS = 256

test('a backup onto a disk that is full says so at once, and leaves nothing that looks whole', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'malha-full-'))
  await using opened = new AsyncDisposableStack()
  opened.defer(() => rm(folder, { recursive: true, force: true }))
  const server = opened.use(await testServer())
  const mesh = opened.use(await connectMesh({ servers: server.url, name: 'before' }))
  await mesh.provision(shop(partners()))
  await note(mesh, 100)
  const to = join(folder, 'full')
  const script = `ulimit -S -f ${BLOCKS}; exec '${process.execPath}' '${MAIN}' backup '${to}' --server ${server.url}`
  const child = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  expect(await once(child, 'close')).toEqual([1, null])
  expect(stderr).toMatch(/OPERATIONS_BACKUP_FAILED: stream ORDERS could not be copied \(EFBIG.*there is no backup in/s)
  const left = await readdir(to)
  expect(left).not.toContain('ORDERS')
  expect(left).not.toContain('manifest.json')
  await expect(restore(mesh, { folder: to })).rejects.toThrow(/OPERATIONS_BACKUP_UNREADABLE: .*broken off/)
  await expect(backUp(mesh, { folder: to })).rejects.toThrow(/OPERATIONS_BACKUP_REFUSED: .*no backup/)
}, 60_000)
