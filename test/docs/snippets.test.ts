import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fences, pages, readText, root } from './pages.ts'

/**
 * A block of TypeScript names the file it is from: ```ts file=test/docs/x.ts region=publish. The region stands between
 * `// #region publish` and `// #endregion` there, so what the page shows is type-checked and tested.
 */
const blocks = pages().flatMap(({ path, text }) =>
  fences(text)
    .filter(({ info }) => /^(ts|typescript)\b/.test(info))
    .map((fence) => ({ name: `${path}:${fence.line}`, ...fence })),
)

test.each(blocks)('$name shows what its source says', ({ info, body }) => {
  const file = /\bfile=(\S+)/.exec(info)?.[1]
  expect(file, 'a ts block needs file=<path from the root>, so that it is tested').toBeTruthy()
  expect(existsSync(join(root, file!)), `${file} does not exist`).toBe(true)
  const source = readText(file!)
  const region = /\bregion=(\S+)/.exec(info)?.[1]
  expect(body).toBe(region === undefined ? source : regionOf(source, region))
})

test('there are snippets to check', () => {
  expect(blocks.length).toBeGreaterThan(5)
})

function regionOf(source: string, region: string): string {
  const match = new RegExp(`^[ \\t]*// #region ${region}\\n([^]*?)^[ \\t]*// #endregion`, 'm').exec(source)
  if (!match) throw new Error(`there is no "// #region ${region}"`)
  return dedent(match[1]!)
}

function dedent(text: string): string {
  const indents = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => /^ */.exec(line)![0].length)
  const indent = Math.min(...indents)
  return text.replaceAll(new RegExp(`^ {${indent}}`, 'gm'), '')
}
