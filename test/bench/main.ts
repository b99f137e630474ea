import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { runBench } from './run-bench.ts'
import { drawResult } from './table.ts'

/** `malha bench` runs this file in a process of its own. */
const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, json: { type: 'string' }, only: { type: 'string' } },
})
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())

try {
  const startedAt = performance.now()
  const only = values.only?.split(',').map((name) => name.trim())
  const result = await runBench({
    quick: values.quick,
    ...(only && { only }),
    signal: stop.signal,
    say: (what) => process.stderr.write(`${seconds(performance.now() - startedAt)}  ${what}\n`),
  })
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(result, null, 1)}\n`)
  process.stdout.write(`${drawResult(result, process.env['FORCE_COLOR'] === '1')}\n`)
  process.exitCode = result.scenarios.every(({ met }) => met !== 'none') ? 0 : 1
} catch (error) {
  if (!stop.signal.aborted) throw error
  process.exitCode = 130
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`.padStart(8)
}
