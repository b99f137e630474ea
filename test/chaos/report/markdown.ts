import type { Verdict } from '../checker/check-saved.ts'
import type { Found } from '../plants/found.ts'
import { doubts } from '../run/outcome.ts'
import type { RunResult } from '../run/run.ts'

const SHOWN = 5

/** A run for people to read. */
export function reportMarkdown(result: RunResult): string {
  const { seed, topology, verdict, rest, faults, troubles, planted, soak } = result
  return [
    `# ${soak ? 'Soak' : 'Chaos run'} of seed ${seed}, ${topology === 'single' ? 'one broker' : 'a cluster of three'}`,
    verdictLine(result),
    countsTable(result),
    ...(planted ? ['## What was planted', plantedLine(planted)] : []),
    '## What was checked',
    rulesTable(verdict),
    ...violations(verdict),
    ...(soak
      ? ['## What grew', growthTable(soak.growth), '![memory of each process over time](soak.svg)']
      : ['## What was broken', faultsTable(faults)]),
    ...(troubles.length > 0 ? ['## What could not be done', list(troubles)] : []),
    ...(rest.isQuiet ? [] : ['## What was still open', list(rest.open)]),
    ...(doubts(result).length > 0 ? ['## Why this run shows less than it says', list(doubts(result))] : []),
  ]
    .join('\n\n')
    .concat('\n')
}

function verdictLine({ verdict, rest, messages, faults }: RunResult): string {
  const found = verdict.rules.reduce((sum, { count }) => sum + count, 0)
  const held = found === 0 ? 'Every rule held.' : `${found} violations.`
  const quiet = rest.isQuiet ? `at rest ${seconds(rest.afterMs)} after the load` : 'it did not come to rest'
  return `${held} ${messages} messages, ${faults.length} faults; ${quiet}.`
}

function countsTable({ startedAt, loadMs, rate, previousRelease, counts, messages, verdict }: RunResult): string {
  return table(
    ['', ''],
    [
      ['started', startedAt],
      ['load', `${seconds(loadMs)} at ${rate} messages a second wanted`],
      ['messages', `${messages} (${Math.round((messages / loadMs) * 1000)} a second)`],
      ['of these in a stream that was deleted later: not judged whether they were lost', `${verdict.excused}`],
      ['publishes acknowledged', `${counts.published}`],
      ['publishes without an answer', `${counts.unknown}`],
      ['handler calls of the load', `${counts.deliveries}`],
      ['effects seen outside', `${counts.effects}`],
      ['acks', `${counts.acks}`],
      ['release before, for rolling upgrades', previousRelease],
    ],
  )
}

const faultsTable = (faults: RunResult['faults']): string =>
  table(
    ['from', 'to', 'nemesis', 'what was hit'],
    faults
      .toSorted((a, b) => a.beganMs - b.beganMs)
      .map(({ beganMs, endedMs, nemesis, target }) => [seconds(beganMs), seconds(endedMs), nemesis, target]),
  )

/** Of each process: in the second quarter of the time, and in the last one. */
const growthTable = (growth: NonNullable<RunResult['soak']>['growth']): string =>
  table(
    ['process', 'memory, MB', 'open files', ''],
    growth.map(({ name, kind, rssMb, handles, faults }) => [
      name,
      rssMb.join(' → '),
      handles.join(' → '),
      kind === 'broker' || kind === 'database' ? 'keeps what is stored' : faults.join(', ') || 'flat',
    ]),
  )

function rulesTable({ rules }: Verdict): string {
  return table(
    ['rule', 'what must hold', 'violations'],
    rules.map(({ rule, claim, count }) => [rule, claim, `${count}`]),
  )
}

function violations({ rules }: Verdict): string[] {
  const broken = rules.filter(({ count }) => count > 0)
  if (broken.length === 0) return []
  const shown = broken.flatMap((rule) => [
    `### ${rule.rule}`,
    ...rule.violations.slice(0, SHOWN).map(({ says, lines }) => {
      const evidence = lines.map(({ file, line, text }) => `${file}:${line} ${text}`)
      return `${says}\n\n\`\`\`\n${evidence.join('\n')}\n\`\`\``
    }),
  ])
  return ['## Violations', ...shown]
}

function plantedLine({ name, does, rule, hit, named }: Found): string {
  return `\`${name}\`: a process that ${does}, ${hit.length} times. The rule \`${rule}\` names ${named.length} of these messages.`
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
const list = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join('\n')

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
