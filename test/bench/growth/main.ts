import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { runGrowth } from './run-growth.ts'
import { drawGrowth } from './growth-table.ts'

/** `malha bench --growth` runs this file in a process of its own. */
const { values } = parseArgs({ options: { json: { type: 'string' }, only: { type: 'string' } } })
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
const startedAt = performance.now()
const say = (what: string): void => {
  const seconds = `${((performance.now() - startedAt) / 1000).toFixed(1)} s`.padStart(8)
  process.stderr.write(`${seconds}  ${what}\n`)
}

try {
  const only = values.only?.split(',').map((name) => name.trim())
  const result = await runGrowth({ signal: stop.signal, say, ...(only && { only }) })
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(result, null, 1)}\n`)
  process.stdout.write(`${drawGrowth(result)}\n`)
} catch (error) {
  if (!stop.signal.aborted) throw error
  process.exitCode = 130
}
