import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { drawGrowth } from './growth/growth-table.ts'
import { runGrowth } from './growth/run-growth.ts'
import { merged } from './merged.ts'
import type { BenchResult } from './result.ts'
import { runBench } from './run-bench.ts'
import { drawResult } from './table.ts'

/** `malha bench` runs this file in a process of its own. */
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    growth: { type: 'boolean', default: false },
    json: { type: 'string' },
    only: { type: 'string' },
  },
})
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())

const startedAt = performance.now()
const only = values.only?.split(',').map((name) => name.trim())
const options = {
  ...(only && { only }),
  signal: stop.signal,
  say: (what: string) => void process.stderr.write(`${seconds(performance.now() - startedAt)}  ${what}\n`),
}

try {
  if (values.growth) {
    const result = await runGrowth(options)
    await show(result, drawGrowth(result))
  } else {
    const result = await runBench({ ...options, quick: values.quick })
    await show(only ? await amongOthers(result) : result, drawResult(result, process.env['FORCE_COLOR'] === '1'))
    process.exitCode = result.scenarios.every(({ met }) => met !== 'none') ? 0 : 1
  }
} catch (error) {
  if (!stop.signal.aborted) throw error
  process.exitCode = 130
}

/** Some of it measured again goes into what the file has of the rest. */
async function amongOthers(result: BenchResult): Promise<BenchResult> {
  const before = values.json === undefined ? undefined : await readFile(values.json, 'utf8').catch(() => undefined)
  return before === undefined ? result : merged(JSON.parse(before) as BenchResult, result)
}

async function show(result: object, table: string): Promise<void> {
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(result, null, 1)}\n`)
  process.stdout.write(`${table}\n`)
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`.padStart(8)
}
