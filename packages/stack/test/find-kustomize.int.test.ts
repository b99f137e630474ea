import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findKustomize } from '../src/index.ts'
import { tempDir } from './fixtures/temp-dir.ts'

async function script(path: string, body: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${body}\n`)
  await chmod(path, 0o755)
}

test('one is found or fetched, and renders a folder without a cluster', async () => {
  await using dir = await tempDir()
  await writeFile(join(dir.path, 'kustomization.yaml'), 'namePrefix: a-\nresources: [one.yaml]\n')
  await writeFile(join(dir.path, 'one.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: one }\n')
  const kustomize = await findKustomize()
  expect(await kustomize.render(dir.path)).toContain('name: a-one')
})

test('KUSTOMIZE_BIN wins, and one that cannot be used is an error, not passed over', async () => {
  await using dir = await tempDir()
  const bin = join(dir.path, 'kustomize')
  await script(bin, '[ "$1" = version ] && echo v5.9.0 || echo "rendered $2"')
  const found = await findKustomize({ env: { KUSTOMIZE_BIN: bin } })
  expect([found.source, await found.render('here')]).toEqual(['KUSTOMIZE_BIN', 'rendered here\n'])
  await script(bin, 'echo v4.5.7')
  await expect(findKustomize({ env: { KUSTOMIZE_BIN: bin } })).rejects.toThrow(/KUSTOMIZE_BIN.*older than Kustomize 5/)
})

test('with nothing to find or fetch, the error names all that was tried and the variable that supplies it', async () => {
  await using dir = await tempDir()
  const path = join(dir.path, 'bin')
  await mkdir(path)
  await script(join(path, 'kubectl'), 'echo "Kustomize Version: v4.5.7"')
  await script(join(path, 'pip3'), 'echo "ERROR: no network" >&2; exit 1')
  const found = findKustomize({ env: { PATH: path, MALHA_CACHE: join(dir.path, 'cache') } })
  const { message } = (await found.catch((error: unknown) => error)) as Error
  expect(message).toMatch(/kubectl: it is older than Kustomize 5/)
  expect(message).toMatch(/by pip3: ERROR: no network/)
  expect(message).toMatch(/go install: /)
  expect(message).toMatch(/Set KUSTOMIZE_BIN/)
})
