/** `malha chaos`, which checks the options and hands them on as JSON. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nemeses } from './nemeses/all.ts'
import { makePlan } from './plan.ts'
import { plants } from './plants/plants.ts'
import { growthPlot } from './report/growth-plot.ts'
import { reportMarkdown } from './report/markdown.ts'
import { doubts, holds } from './run/outcome.ts'
import { run } from './run/run.ts'
import type { Topology } from './system.ts'

type Asked = {
  seed: number
  minutes: number
  topology: Topology
  only?: string[]
  calm?: true
  plant?: string
  rate: number
  out?: string
  plan?: true
  json?: true
}

const asked = JSON.parse(process.argv[2] ?? '{}') as Asked
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
const startedAt = performance.now()
const say = (line: string): void =>
  void process.stderr.write(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(5)} s  ${line}\n`)

const { seed, topology, rate, only } = asked
const unknown = (only ?? []).filter((name) => !nemeses.some((one) => one.name === name))
if (unknown.length > 0)
  throw new Error(`there is no nemesis ${unknown.join(', ')}; there are ${nemeses.map(({ name }) => name).join(', ')}`)
const chosen = asked.calm ? [] : nemeses.filter(({ name }) => only?.includes(name) ?? true)
const plant = plants.find(({ name }) => name === asked.plant)
if (asked.plant !== undefined && !plant)
  throw new Error(`there is no plant ${asked.plant}; there are ${plants.map(({ name }) => name).join(', ')}`)
const plan = makePlan({ seed, topology, durationMs: Math.round(asked.minutes * 60_000), nemeses: chosen })

if (asked.plan) {
  process.stdout.write(`${JSON.stringify(plan, undefined, 2)}\n`)
} else {
  const folder = asked.out ?? `chaos-${seed}`
  try {
    const result = await run({ plan, nemeses: chosen, rate, folder, say, plant, signal: stopping.signal })
    await writeFile(join(folder, 'report.json'), `${JSON.stringify(result, undefined, 2)}\n`)
    await writeFile(join(folder, 'report.md'), reportMarkdown(result))
    if (result.soak) await writeFile(join(folder, 'soak.svg'), growthPlot(result.soak.series))
    process.stdout.write(asked.json ? `${JSON.stringify(result)}\n` : `${reportMarkdown(result)}\nkept in ${folder}\n`)
    for (const doubt of doubts(result)) say(doubt)
    process.exitCode = holds(result) ? 0 : 1
  } catch (error) {
    process.exitCode = 1
    if (error === stopping.signal.reason) say('stopped before the load began; there is nothing to judge')
    else
      say(
        `no verdict; what there is of it is kept in ${folder}: ${error instanceof Error ? error.stack : String(error)}`,
      )
  }
}
