import { globSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readText, root } from './pages.ts'

const page = readText('docs/reference/errors.md')
const documented = [...page.matchAll(/^## ([A-Z]+(?:_[A-Z0-9]+)+)$/gm)].map((match) => match[1]!)

/** Codes as each package's registry writes them (table, list or union); read as text, so that no package has to be loaded. */
const registries = globSync('packages/**/src/{errors,*-error}.ts', { cwd: root, exclude: ['**/node_modules/**'] })
  .map((path) => ({
    path,
    codes: [...readText(path).matchAll(/^ {2}(?:\| )?'?([A-Z]+(?:_[A-Z0-9]+)+)'?(?:[:,]|$)/gm)].map(
      (match) => match[1]!,
    ),
  }))
  .filter(({ codes }) => codes.length > 0)

test('there is a registry to compare with', () => {
  expect(registries.map(({ path }) => path)).toContain('packages/mesh/src/errors.ts')
})

test.each(registries)('every code of $path has its section', ({ codes }) => {
  expect(codes.filter((code) => !documented.includes(code))).toEqual([])
})

test.each(registries)('every code of $path is used somewhere', ({ path, codes }) => {
  const folder = path.replace(/src\/.*$/, 'src')
  const sources = globSync(`${folder}/**/*.ts`, { cwd: root }).map((file) => readText(file))
  expect(codes.filter((code) => sources.join('\n').split(new RegExp(`'${code}'|\\b${code}:`)).length < 3)).toEqual([])
})

test('no section is of a code that does not exist, and none comes twice', () => {
  const known = registries.flatMap(({ codes }) => codes)
  expect(documented.filter((code) => !known.includes(code))).toEqual([])
  expect(new Set(documented).size).toBe(documented.length)
})

test.each(documented)('%s says what happened and what to do', (code) => {
  const section = page.split(new RegExp(`^## ${code}$`, 'm'))[1]!.split(/^## /m)[0]!
  expect(section).toMatch(/^\*\*What happened\.\*\* \S/m)
  expect(section).toMatch(/^\*\*What to do\.\*\* \S/m)
})
