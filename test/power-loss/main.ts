/**
 * Measures what a loss of power costs, and keeps the results as data:
 * `node test/power-loss/main.ts [--cuts 100] [--seed 1] [--lanes 3] [--only three] [--verbose]`,
 * and to keep them `--out docs/explanation/power-loss.json --page docs/explanation/power-loss.md`.
 * Results of configurations that are not measured stay in the file. On two busy cores a hundred cuts
 * take two to four minutes for one server or a spool, a quarter of an hour for three.
 */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { release } from 'node:os'
import { parseArgs, promisify } from 'node:util'
import { findNatsServer } from '@malha/stack'
import { configurations, EVENTS, SPOOLED_EVENTS, spools } from './configurations.ts'
import { type Findings, measure, measureSpool, type Plan, type Result } from './measure.ts'
import type { Outcome } from './power-failure.ts'
import { record, type Recording } from './recording.ts'
import { recordSpool } from './spool-failure.ts'
import { pageWith } from './table.ts'
import { needStrace } from './traced.ts'

const { values } = parseArgs({
  options: {
    cuts: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    lanes: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    out: { type: 'string' },
    page: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
})

await needStrace()
const recordings = new Map<string, Promise<Recording>>()
const results: Result[] = []
for (const one of configurations.filter(isWanted)) {
  const { replicas, syncAlways } = one
  const key = `${replicas} ${syncAlways}`
  const recording = recordings.get(key) ?? record({ replicas, syncAlways, events: EVENTS })
  recordings.set(key, recording)
  await keep(await measure(await recording, one, planFor(one)))
}
const wantedSpools = spools.filter(isWanted)
const spool = wantedSpools.length > 0 ? await recordSpool(SPOOLED_EVENTS) : undefined
for (const one of wantedSpools) await keep(await measureSpool(spool!, one, planFor(one)))
if (values.out === undefined) process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`)
process.exit(0)

function isWanted({ name, fileSystem }: { name: string; fileSystem: string }): boolean {
  return `${name} (${fileSystem})`.includes(values.only)
}

function planFor({ name, fileSystem }: { name: string; fileSystem: string }): Plan {
  const onProgress = (done: number, of: number): void => {
    if (done % 10 === 0 || done === of) process.stderr.write(`${name} (${fileSystem}): ${done} of ${of}\n`)
  }
  const onOutcome = (outcome: Outcome): void => {
    const { cut, luck, acknowledged, lost, broken, stuck, isFloorBeyondEnd, passedOver, doubled } = outcome
    const ids = [lost.length, ...lost.slice(0, 1), ...lost.slice(-1)].join(' ')
    const about = { cut, luck, acknowledged, lost: ids, doubled: doubled.length, passedOver: passedOver.length }
    if (values.verbose) process.stderr.write(`${JSON.stringify({ ...about, isFloorBeyondEnd, broken, stuck })}\n`)
  }
  return { count: Number(values.cuts), seed: Number(values.seed), lanes: Number(values.lanes), onProgress, onOutcome }
}

async function keep(result: Result): Promise<void> {
  results.push(result)
  if (values.out === undefined) return
  const before = await readFile(values.out, 'utf8').then(
    (text) => (JSON.parse(text) as Findings).results,
    () => [],
  )
  const others = before.filter(({ name, fileSystem }) => name !== result.name || fileSystem !== result.fileSystem)
  const order = [...configurations, ...spools]
  const rank = (one: Result): number =>
    order.findIndex(({ name, fileSystem }) => name === one.name && fileSystem === one.fileSystem)
  const all = [...others, result].toSorted((a, b) => rank(a) - rank(b))
  const findings: Findings = { versions: await versions(), results: all }
  await writeFile(values.out, `${JSON.stringify(findings, undefined, 2)}\n`)
  if (values.page === undefined) return
  await writeFile(values.page, pageWith(await readFile(values.page, 'utf8'), findings))
}

async function versions(): Promise<Findings['versions']> {
  const { stdout } = await promisify(execFile)('strace', ['--version'])
  return {
    natsServer: (await findNatsServer()).version,
    node: process.version,
    strace: /version (\S+)/.exec(stdout)?.[1] ?? '',
    kernel: release(),
  }
}
