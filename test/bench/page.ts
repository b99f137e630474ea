import { readFile, writeFile } from 'node:fs/promises'
import type { CurveResult, GrowthResult } from './growth/run-growth.ts'
import { drawLines, plotsOf } from './plots.ts'
import { holds, isAtLeast } from './judge.ts'
import type { BenchResult, CaseResult } from './result.ts'

const PAGE = new URL('../../docs/performance.md', import.meta.url)
const FOLDER = new URL('../../docs/performance/', import.meta.url)

export const readPage = (): Promise<string> => readFile(PAGE, 'utf8')

/** A plot as it is committed. */
export const readPlot = (name: string): Promise<string> => readFile(new URL(name, FOLDER), 'utf8')

/** What was measured; undefined where nothing was yet. */
export type Measured = { results: BenchResult | undefined; growth: GrowthResult | undefined }

/** As it is committed. */
export async function readMeasured(): Promise<Measured> {
  const read = async <T>(name: string): Promise<T | undefined> => {
    const text = await readFile(new URL(name, FOLDER), 'utf8').catch(() => undefined)
    return text === undefined ? undefined : (JSON.parse(text) as T)
  }
  return { results: await read<BenchResult>('results.json'), growth: await read<GrowthResult>('growth.json') }
}

/** All plots of the page by file name. */
export function allPlots({ results, growth }: Measured): Record<string, string> {
  const curves = growth?.curves ?? []
  return {
    ...(results && plotsOf(results)),
    ...Object.fromEntries(curves.map((curve) => [plotName(curve), curvePlot(curve)])),
  }
}

const plotName = ({ name }: CurveResult): string => `growth-${name}.svg`

function curvePlot({ title, x, points, powers }: CurveResult): string {
  return drawLines({
    title: `${title}: by ${x}`,
    scale: 'log',
    lines: Object.keys(powers).map((name) => ({
      name,
      points: points.map((point) => [point.x, point.figures[name]!] as const),
    })),
  })
}

/** The page with what is generated in it written anew. */
export function pageOf(page: string, { results, growth }: Measured): string {
  const parts = {
    results: results && resultsText(results, Object.keys(plotsOf(results))),
    growth: growth && growthText(growth),
  }
  return Object.entries(parts).reduce(
    (text, [name, body]) =>
      text.replace(
        new RegExp(`(<!-- begin ${name}[^\\n]*-->\\n)[^]*(<!-- end ${name} -->)`),
        (_, begin: string, end: string) => `${begin}\n${body ?? 'Nothing was measured yet.'}\n\n${end}`,
      ),
    page,
  )
}

function growthText({ startedAt, curves }: GrowthResult): string {
  return [
    `${startedAt.slice(0, 10)}, the same machine; each place on a fresh server.`,
    ...curves.flatMap((curve) => [
      `### ${curve.title}`,
      `![${curve.title}](performance/${plotName(curve)})`,
      tableOf(
        [curve.x, ...Object.keys(curve.powers)],
        [
          ...curve.points.map(({ x, figures }) => [x.toLocaleString('en'), ...Object.values(figures).map(figure)]),
          ['grows by the power', ...Object.values(curve.powers).map(String)],
        ],
      ),
    ]),
  ].join('\n\n')
}

function resultsText(
  { machine, versions, scenarios, startedAt, quick }: BenchResult,
  plots: readonly string[],
): string {
  const { cpu, cores, memoryGiB, kernel, platform } = machine
  const used = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [
    `${startedAt.slice(0, 10)}, ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${platform}, kernel ${kernel}; ${used.join(', ')}.` +
      (quick ? ' A quick run: small rounds.' : ''),
    ...plots.map((name) => `![${name.replace('.svg', '')}](performance/${name})`),
    tableOf(
      [
        'scenario',
        'rate /s',
        'client CPU µs',
        'server CPU µs',
        'p50 ms',
        'p99 ms',
        'RSS MiB',
        '× plain',
        '× lean',
        'met',
      ],
      scenarios.map((of) => [
        of.name,
        ...[of.rate, of.cpuUsPerMessage, of.serverCpuUsPerMessage, of.p50Ms, of.p99Ms, of.rssMb].map(figure),
        figure(of.ratioToPlain),
        figure(of.ratioToLean),
        of.met,
      ]),
    ),
    'Client CPU, server CPU and RSS are those of the mesh, a message and in all its processes.',
    tableOf(['scenario', 'what one message is', 'floor', 'goal'], scenarios.map(limitsRow)),
    'In brackets: what was measured, where it falls short.',
  ].join('\n\n')
}

const limitsRow = (of: CaseResult): string[] => [of.name, of.message, limitsText(of, of.floor), limitsText(of, of.goal)]

function limitsText({ measured }: CaseResult, limits: CaseResult['floor']): string {
  return Object.entries(limits)
    .map(([name, limit]) => {
      const found = measured[name] ?? undefined
      const missed = holds(name, limit, found) ? '' : ` (${figure(found ?? null)})`
      return `\`${name}\` ${isAtLeast(name) ? '≥' : '≤'} ${limit}${missed}`
    })
    .join('<br>')
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

const figure = (value: number | null): string => {
  if (value === null) return '–'
  return value >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)))
}

/** Run as a script it writes the tables and plots of the page anew. */
if (import.meta.main) {
  const measured = await readMeasured()
  for (const [name, svg] of Object.entries(allPlots(measured))) await writeFile(new URL(name, FOLDER), svg)
  await writeFile(PAGE, pageOf(await readPage(), measured))
}
