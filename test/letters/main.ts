/**
 * Measures what a million letters cost, and keeps the result as data:
 * `node test/letters/main.ts [--letters 1000000] [--rate 2000]`, and to keep it
 * `--out docs/performance/letters.json`; `node test/letters/page.ts` writes its page and plots from that.
 * Ends with 1 when a bound does not hold. Takes about ten minutes on two cores, and 6 GB of disk; leave the machine alone.
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { measureLetters } from './measure.ts'
import { boundsOf } from './result.ts'

const { values } = parseArgs({
  options: {
    letters: { type: 'string', default: '1000000' },
    rate: { type: 'string', default: '2000' },
    out: { type: 'string' },
  },
})

const startedAt = performance.now()
const say = (line: string): void =>
  void process.stderr.write(`${((performance.now() - startedAt) / 1000).toFixed(0)} s  ${line}\n`)
const result = await measureLetters({ letters: Number(values.letters), perSecond: Number(values.rate), say })
if (values.out !== undefined) await writeFile(values.out, `${JSON.stringify(result, null, 1)}\n`)
const bounds = boundsOf(result)
for (const { what, bound, found, holds } of bounds)
  process.stdout.write(`${holds ? 'holds ' : 'MISSED'}  ${what}: ${found} (${bound})\n`)
process.exitCode = bounds.every(({ holds }) => holds) ? 0 : 1
