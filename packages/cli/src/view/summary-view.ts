import Table from 'cli-table3'
import { createColors } from 'picocolors'
import { tableStyle } from './table-style.ts'
import type { Check } from '../demo/checks.ts'
import type { Summary } from '../demo/summary.ts'
import { partnerNames } from '../system/partners.ts'
import { showDuration } from './duration.ts'

/** `✓ claim  detail`, one line a check. */
export function drawChecks(checks: readonly Check[], colors: boolean): string {
  const pc = createColors(colors)
  return checks
    .map(({ held, name, detail }) => `  ${held ? pc.green('✓') : pc.red('✗')} ${name}  ${pc.dim(detail)}`)
    .join('\n')
}

/** The figures of a run and its verdict. */
export function drawSummary(summary: Summary, colors: boolean): string {
  const pc = createColors(colors)
  const table = new Table(tableStyle(colors))
  const { audit } = summary
  table.push(
    ['centres', summary.centers],
    ['attempts at partners', summary.attempts],
    ['retries', summary.retries],
    ['effects', partnerNames.map((name) => `${name} ${summary.effects[name]}`).join(', ')],
    ['events archived', summary.eventsArchived],
    [
      'audit',
      audit ? `missing ${audit.missing}, duplicates ${audit.duplicates}, conflicts ${audit.conflicts}` : 'not made',
    ],
    ['dead letters', summary.deadLetters],
    ['services killed', summary.kills],
    ['elapsed', showDuration(summary.elapsedMs)],
  )
  const { held, failed } = summary.checks
  const verdict =
    failed === 0
      ? pc.green(pc.bold(`Every check held (${held} of ${held}): nothing lost, nothing twice, nothing resent by hand.`))
      : pc.red(pc.bold(`${failed} of ${held + failed} checks failed.`))
  return `${table.toString()}\n${verdict}`
}
