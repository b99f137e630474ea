/** Writes docs/performance/letters.md and its plots anew from what was measured: `node test/letters/page.ts`. */
import { readFile, writeFile } from 'node:fs/promises'
import { drawLines } from '../bench/plots.ts'
import { boundsOf, type Letters, type Redriven } from './result.ts'

const FOLDER = new URL('../../docs/performance/', import.meta.url)
const BEGIN = '<!-- begin results: written by test/letters/page.ts from docs/performance/letters.json -->'
const END = '<!-- end results -->'

export const readResult = async (): Promise<Letters> => JSON.parse(await read('letters.json')) as Letters
export const readPage = (): Promise<string> => read('letters.md')
export const read = (name: string): Promise<string> => readFile(new URL(name, FOLDER), 'utf8')

/** By file name. */
export function plotsOf(result: Letters): Record<string, string> {
  const rates = drawLines({
    title: 'Letters handled in each second of a redrive',
    lines: runsOf(result).map(([name, { bySecond }]) => ({
      name,
      points: bySecond.slice(0, -1).map((count, second) => [second, count] as const),
    })),
  })
  const memory = drawLines({
    title: 'Memory of the process that sends, MiB by seconds',
    lines: runsOf(result).map(([name, run]) => ({
      name,
      points: run.memory.map(([atMs, mb]) => [atMs / 1000, mb] as const),
    })),
  })
  return { 'letters-rate.svg': rates, 'letters-memory.svg': memory }
}

const runsOf = ({ paced, unthrottled, byConsole, rest }: Letters): [string, Redriven][] => [
  [`a group at ${number(paced.asked)}/s`, paced],
  ['a group as fast as can be', unthrottled],
  ['a group by the console, which is watched', byConsole],
  ['all the rest, while the console is watched', rest],
]

/** The page with what is generated in it written anew. @throws Error when it has no place for it */
export function pageOf(page: string, result: Letters): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (from < 0 || to < from) throw new Error(`the page has no place for the results: ${BEGIN} … ${END}`)
  return `${page.slice(0, from)}${BEGIN}\n\n${resultsText(result)}\n\n${page.slice(to)}`
}

function resultsText(result: Letters): string {
  const { machine, versions, startedAt, letters, keys, group, writtenUs, bytesEach } = result
  const { cpu, cores, memoryGiB, platform, kernel } = machine
  const used = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [
    `${startedAt.slice(0, 10)}, ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${platform}, kernel ${kernel}; ${used.join(', ')}.`,
    `${number(letters)} letters of ${number(keys)} keys, in groups of ${number(group)}; ${number(bytesEach)} bytes each, given up and stored in ${number(writtenUs)} µs.`,
    tableOf(
      ['what', 'bound', 'measured', ''],
      boundsOf(result).map(({ what, bound, found, holds }) => [what, bound, found, holds ? 'holds' : '**missed**']),
    ),
    '## Sent again',
    '![letters a second](letters-rate.svg)',
    '![memory](letters-memory.svg)',
    redrivesTable(result),
    cancelText(result),
    '## Looked at',
    readingText(result),
    tableOf(
      ['asked of the console', 'letters that fit', 'median ms', 'slowest ms'],
      Object.entries(result.answers).map(([what, { found, medianMs, slowestMs }]) => [
        what,
        number(found),
        short(medianMs),
        short(slowestMs),
      ]),
    ),
  ].join('\n\n')
}

function redrivesTable(result: Letters): string {
  const head = [
    '',
    'letters',
    'a second',
    'slowest second',
    'fastest',
    'whole command',
    'sender, MiB',
    'console, MiB',
    'twice',
  ]
  return tableOf(
    head,
    runsOf(result).map(([name, run]) => [
      name,
      ...[run.letters, run.perSecond, run.slowest, run.fastest].map(number),
      run.commandMs === null ? '–' : `${short(run.commandMs / 1000)} s`,
      ...[run.runnerMb, run.consoleMb, run.again].map(number),
    ]),
  )
}

function cancelText({ cancelled }: Letters): string {
  const { sent, handled, runnerMs, lastCallMs, handledInTheEnd } = cancelled
  return `A run as fast as can be was cancelled after a quarter of its group: its runner had ended ${number(runnerMs)} ms later, and the handler had its last message after ${number(Math.max(0, lastCallMs))} ms. ${number(sent)} were sent and ${number(handled)} handled; once the rest was sent, ${number(handledInTheEnd)}, each once.`
}

function readingText({ firstReading: { command, console }, listCommand }: Letters): string {
  return `The first reading of the index from empty took a command ${short(command.ms / 1000)} s and ${number(command.peakMb)} MiB; it says how far it is every 50,000 letters. A console took ${short(console.ms / 1000)} s and ${number(console.peakMb)} MiB, answered ${number(console.answersMeanwhile)} times meanwhile, after ${number(console.firstAnswerMs)} ms first and ${number(console.slowestAnswerMs)} ms at most, each time with the letters it had and \`"asOf":{"state":"reading","until":…}\`. With an index that is there \`malha dlq list\` takes ${number(listCommand.ms)} ms in all, and ${number(listCommand.peakMb)} MiB.`
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

const number = (value: number): string => Math.round(value).toLocaleString('en')
const short = (value: number): string => String(Number(value.toPrecision(3)))

if (import.meta.main) {
  const result = await readResult()
  for (const [name, svg] of Object.entries(plotsOf(result))) await writeFile(new URL(name, FOLDER), svg)
  await writeFile(new URL('letters.md', FOLDER), pageOf(await readPage(), result))
}
