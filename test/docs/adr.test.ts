import { expect, test } from 'vitest'
import { pages, readText } from './pages.ts'

const records = pages('docs/adr').filter(({ path }) => !path.endsWith('README.md'))

test.each(records)(
  '$path is a decision record: number, title, date, context, decision, consequences',
  ({ path, text }) => {
    const number = /^docs\/adr\/(\d{4})-[a-z0-9-]+\.md$/.exec(path)?.[1]
    expect(text).toMatch(
      new RegExp(
        `^# ${Number(number)}\\. \\S.*\n\nDate: \\d{4}-\\d{2}-\\d{2}\nStatus: (accepted(, (adds to|added to by) \\d{4})?|superseded by \\d{4})\n`,
      ),
    )
    const headings = [...text.matchAll(/^## (.+)$/gm)].map((match) => match[1])
    expect(headings).toEqual(['Context', 'Decision', 'Consequences'])
  },
)

test('numbers are given once and without gaps', () => {
  const numbers = records.map(({ path }) => Number(/\/(\d{4})-/.exec(path)?.[1]))
  expect(numbers).toEqual(numbers.map((_, index) => index + 1))
})

test('the index lists every record by its title, in order', () => {
  const expected = records.map(
    ({ path, text }) => `- [${/^# (.+)$/m.exec(text)![1]}](${path.replace('docs/adr/', '')})`,
  )
  expect(
    readText('docs/adr/README.md')
      .split('\n')
      .filter((line) => line.startsWith('- [')),
  ).toEqual(expected)
})
