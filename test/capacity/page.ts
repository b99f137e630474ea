/** Writes the tables of docs/how-to/plan-the-capacity.md and their plots anew: `node test/capacity/page.ts`. */
import { readFile, writeFile } from 'node:fs/promises'
import { type CapacityPlan, type Limit, planCapacity } from '@malha/deployment'
import { days } from '@malha/mesh'
import { drawCapacity } from '../../packages/cli/src/view/capacity-view.ts'
import { drawLines } from '../bench/plots.ts'
import { examples } from './examples.ts'

const PAGE = new URL('../../docs/how-to/plan-the-capacity.md', import.meta.url)
const PLOTS = new URL('../../docs/performance/', import.meta.url)

export const readPage = (): Promise<string> => readFile(PAGE, 'utf8')
export const readPlot = (name: string): Promise<string> => readFile(new URL(name, PLOTS), 'utf8')

/** The page with what is generated in it written anew. */
export const pageOf = (page: string): string =>
  Object.entries(examples).reduce(
    (text, [name, { command, load }]) =>
      text.replace(
        new RegExp(`(<!-- begin ${name}:[^\\n]*-->\\n)[^]*?(<!-- end ${name} -->)`),
        (_, begin: string, end: string) =>
          `${begin}\n\`\`\`sh\n${command}\n\`\`\`\n\n${tableOf(planCapacity(load), name !== whole)}\n\n${end}`,
      ),
    page,
  )

/** By file name. */
export function plotsOf(): Record<string, string> {
  const sizes = [128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536]
  const carried = (bytes: number): readonly Limit[] =>
    planCapacity({ eventsPerSecond: 1, bytes, retentionMs: 1000, archiveMs: days(90) }).limits
  const bounds = [
    'publishes of one stream',
    'CPU of a nats-server',
    'network of a nats-server',
    'archive, which has one writer a stream',
  ]
  const limits = drawLines({
    title: 'Events a second at which each limit is met, by bytes of payload',
    scale: 'log',
    lines: bounds.map((what) => ({
      name: what,
      points: sizes.map(
        (bytes) => [bytes, Math.round(carried(bytes).find((each) => each.what === what)!.factor)] as const,
      ),
    })),
  })
  const rates = [1, 10, 100, 1000, 10_000]
  const disk = (eventsPerSecond: number, retentionMs: number): number =>
    planCapacity({ eventsPerSecond, bytes: 1024, retentionMs }).figures.find(({ what }) => what === 'each server')!
      .value
  const storage = drawLines({
    title: 'GiB on each of three servers, by events of 1 KiB a second',
    scale: 'log',
    lines: [1, 7, 30].map((many) => ({
      name: many === 1 ? 'kept a day' : `kept ${many} days`,
      points: rates.map((rate) => [rate, Number((disk(rate, days(many)) / 1024 ** 3).toPrecision(3))] as const),
    })),
  })
  return { 'capacity-limits.svg': limits, 'capacity-storage.svg': storage }
}

/** The example that is shown with all its figures. */
const [whole] = Object.keys(examples)

/** What the command draws, for a page; without what it says of sources, which every plan says alike. */
function tableOf(plan: CapacityPlan, isBrief: boolean): string {
  const drawn = drawCapacity(plan, { width: 160, colors: false })
  const shown = drawn.split('\n[1] ')[0]!
  const brief = isBrief ? shown.replace(/┌[^]*?└.*┘\n/, '…\n') : shown
  return `\`\`\`text\n${brief}\n\`\`\``
}

/** Run as a script it writes them. */
if (import.meta.main) {
  for (const [name, svg] of Object.entries(plotsOf())) await writeFile(new URL(name, PLOTS), svg)
  await writeFile(PAGE, pageOf(await readPage()))
}
