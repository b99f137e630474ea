import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { configurations, spools } from './configurations.ts'
import type { Findings } from './measure.ts'
import { pageWith } from './table.ts'

const docs = new URL('../../docs/explanation/', import.meta.url)
const page = await readFile(new URL('power-loss.md', docs), 'utf8')
const findings = JSON.parse(await readFile(new URL('power-loss.json', docs), 'utf8')) as Findings

/** The formatter pads the cells of tables. */
const unpadded = (text: string): string => text.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---')

test('the page shows what was measured', () => {
  expect(unpadded(pageWith(page, findings))).toBe(unpadded(page))
})

test('what was measured is what the long test expects, at 100 points at least', () => {
  const wanted = [...configurations, ...spools]
  const named = ({ name, fileSystem }: { name: string; fileSystem: string }): string => `${name} (${fileSystem})`
  expect(findings.results.map(named)).toEqual(wanted.map(named))
  const other = wanted.filter(({ loses }, index) => loses !== 'rarely' && loses !== findings.results[index]!.lost > 0)
  expect(other.map(named)).toEqual([])
  expect(findings.results.filter(({ cuts }) => cuts < 100)).toEqual([])
})

test('with everything kept nothing was lost', () => {
  expect(findings.results.filter(({ byLuck }) => byLuck.all.withLoss > 0)).toEqual([])
})
