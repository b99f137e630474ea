import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { isGenerated } from '../src/generate.ts'
import { defineDeployment, differences, generate, writeFiles } from '../src/index.ts'

const deployment = defineDeployment({
  name: 'shop',
  namespace: 'shop',
  workloads: [{ name: 'archive', tool: 'archive', kind: 'Deployment', ports: {} }],
})
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deployment-'))
})
afterEach(() => rm(folder, { recursive: true }))

it('makes files in the order of their paths, each saying in its first line who made it', async () => {
  const files = await generate(deployment, [
    ({ name }) => ({ 'z.yaml': `name: ${name}` }),
    () => ({ 'a/b.conf': 'x: 1\n\n' }),
  ])
  expect([...files.keys()]).toEqual(['a/b.conf', 'z.yaml'])
  expect(files.get('z.yaml')).toMatch(/^# Made by "malha deploy generate".*\nname: shop\n$/)
})

it('refuses two generators for one file, and a file that cannot say who made it', async () => {
  const twice = [() => ({ 'a.yaml': '' }), () => ({ 'a.yaml': '' })]
  await expect(generate(deployment, twice)).rejects.toThrow(/two generators/)
  await expect(generate(deployment, [() => ({ 'a.txt': '' })])).rejects.toThrow(/a\.txt cannot say in its first line/)
})

it('finds what is missing, changed and left over, mends it, and leaves alone what a person wrote', async () => {
  const before = await generate(deployment, [() => ({ 'a.yaml': 'a: 1', 'b.yaml': 'b: 1', 'in/c.yaml': 'c: 1' })])
  const after = await generate(deployment, [() => ({ 'a.yaml': 'a: 2', 'b.yaml': 'b: 1', 'd.yaml': 'd: 1' })])
  await writeFiles(folder, before)
  await writeFile(join(folder, 'mine.yaml'), 'mine: true')
  const expected = [
    { path: 'a.yaml', how: 'changed' },
    { path: 'd.yaml', how: 'missing' },
    { path: 'in/c.yaml', how: 'left over' },
  ]
  expect(await differences(folder, after)).toEqual(expected)
  expect(await writeFiles(folder, after)).toEqual(expected)
  expect(await differences(folder, after)).toEqual([])
  expect(await readFile(join(folder, 'mine.yaml'), 'utf8')).toBe('mine: true')
})

it('takes a folder that is not there as empty', async () => {
  const files = await generate(deployment, [() => ({ 'a.yaml': 'a: 1' })])
  expect(await differences(join(folder, 'none'), files)).toEqual([{ path: 'a.yaml', how: 'missing' }])
})

it('says who made JSON in a first member, and leaves the rest as it is', async () => {
  const files = await generate(deployment, [() => ({ 'a.json': '{\n  "b": [1]\n}\n' })])
  const text = files.get('a.json')!
  expect(isGenerated(text)).toBe(true)
  expect(JSON.parse(text)).toEqual({ '//': expect.stringContaining('malha deploy generate'), b: [1] })
})
