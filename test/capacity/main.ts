/**
 * Measures what plans of `malha capacity` are computed from: `node test/capacity/main.ts --out capacity.json`, and then
 * `malha capacity … --constants capacity.json`. Rates are those of the benchmark: give your own with
 * `--bench results.json --growth growth.json` (`malha bench --json`, `malha bench --growth --json`), else the committed
 * ones are taken. Some ten minutes; leave the machine alone.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { GrowthResult } from '../bench/growth/run-growth.ts'
import type { BenchResult } from '../bench/result.ts'
import { measureAll } from './measure.ts'

const committed = (name: string): string => fileURLToPath(new URL(`../../docs/performance/${name}`, import.meta.url))
const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    bench: { type: 'string', default: committed('results.json') },
    growth: { type: 'string', default: committed('growth.json') },
  },
})

const startedAt = performance.now()
const say = (line: string): void =>
  void process.stderr.write(`${((performance.now() - startedAt) / 1000).toFixed(0)} s  ${line}\n`)
const read = async <T>(file: string): Promise<T> => JSON.parse(await readFile(file, 'utf8')) as T
const result = await measureAll({
  bench: await read<BenchResult>(values.bench),
  growth: await read<GrowthResult>(values.growth),
  say,
})
const text = `${JSON.stringify(result, null, 2)}\n`
if (values.out === undefined) process.stdout.write(text)
else await writeFile(values.out, text)
