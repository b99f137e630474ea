import { expect, test } from 'vitest'
import { rules } from '../chaos/checker/rules.ts'
import { nemeses } from '../chaos/nemeses/all.ts'
import { plants } from '../chaos/plants/plants.ts'
import { readText } from './pages.ts'

const page = readText('docs/explanation/what-we-break.md')

/** The rows of the table whose head begins with this. */
function rowsOf(head: string): string[][] {
  const table = page.slice(page.search(new RegExp(`^\\| ${head} +\\|`, 'm'))).split('\n\n')[0]!
  const rows = table.split('\n').slice(2)
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  )
}

test('the page on chaos names every nemesis, in their order', () => {
  expect(rowsOf('name').map(([name]) => name)).toEqual(nemeses.map(({ name }) => name))
})

test('the page on chaos says what every rule claims', () => {
  expect(rowsOf('rule')).toEqual(rules.map(({ name, claim }) => [name, claim]))
})

test('the page on chaos names every defect that can be planted', () => {
  expect(rowsOf('defect')).toEqual(plants.map(({ name, does, rule }) => [name, does, rule]))
})
