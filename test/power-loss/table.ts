import type { Findings, Result } from './measure.ts'

const HEAD = [
  '| what loses its power | file system | cuts | cuts that lost | acknowledged, all cuts | lost, all cuts | lost at most, a cut | cuts after which a handler missed events |',
  '| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |',
]

const BEGIN = '<!-- results: node test/power-loss/main.ts --out … --page … -->'
const END = '<!-- end of results -->'

const number = (count: number): string => count.toLocaleString('en-US')

function row({ name, fileSystem, ...counts }: Result): string {
  const { cuts, cutsWithLoss, acknowledged, lost, lostAtMost, passedOver } = counts
  const cells = [cuts, cutsWithLoss, acknowledged, lost, lostAtMost, passedOver].map(number)
  return `| ${[name, fileSystem, ...cells].join(' | ')} |`
}

/** The results as a table of Markdown, with what they were measured with. */
export function tableOf({ versions, results }: Findings): string {
  const { natsServer, node, strace, kernel } = versions
  const measured = `nats-server ${natsServer}, Node ${node}, strace ${strace}, Linux ${kernel}.`
  return [...HEAD, ...results.map(row), '', measured].join('\n')
}

/** The page with the table in its place. @throws Error when it has none */
export function pageWith(page: string, findings: Findings): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (from < 0 || to < from) throw new Error(`the page has no place for the results: ${BEGIN} … ${END}`)
  return `${page.slice(0, from)}${BEGIN}\n\n${tableOf(findings)}\n\n${page.slice(to)}`
}
