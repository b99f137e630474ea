import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { createProgram } from '../src/program.ts'

it('says the version of its package', { timeout: 30_000 }, async () => {
  const manifest = await readFile(new URL('../package.json', import.meta.url), 'utf8')
  const program = await createProgram(['--version'])
  let said = ''
  program.exitOverride().configureOutput({ writeOut: (text) => void (said += text) })
  await expect(program.parseAsync(['--version'], { from: 'user' })).rejects.toMatchObject({ exitCode: 0 })
  expect(said.trim()).toBe((JSON.parse(manifest) as { version: string }).version)
})
