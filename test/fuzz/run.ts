/**
 * Fuzzes targets by coverage: `node test/fuzz/run.ts [target …] [--cases 100000] [--seed 1] [--blind] [--keep] [--json]`.
 * `--cases` is for all of them together; targets that are named have as many each.
 * `--keep` writes the inputs that reach all there is into the corpus. Ends with 1 where something does not hold.
 */
import { parseArgs } from 'node:util'
import { readCorpus, writeCorpus } from './engine/corpus.ts'
import { Coverage } from './engine/coverage.ts'
import { type Finding, fuzz, type Outcome } from './engine/fuzz.ts'
import { wordsIn } from './engine/words.ts'
import { targets } from './targets/index.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cases: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    blind: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})

const unknown = positionals.filter((name) => !(name in targets))
if (unknown.length > 0)
  throw new Error(`there is no target ${unknown.join(', ')}; there are ${Object.keys(targets).join(', ')}`)
const chosen = positionals.length > 0 ? positionals : Object.keys(targets).filter((name) => !targets[name]!.isExample)

const outcomes: Outcome[] = []
for (const name of chosen) outcomes.push(await fuzzOne(name))
if (values.json)
  console.log(JSON.stringify(outcomes.map(({ corpus, ...rest }) => ({ ...rest, corpus: corpus.length }))))
const findings = outcomes.flatMap((outcome) => outcome.findings)
process.exit(findings.length > 0 ? 1 : 0)

async function fuzzOne(name: string): Promise<Outcome> {
  const { covers, load, share, isExample } = targets[name]!
  const coverage = values.blind ? undefined : Coverage.start(covers)
  const target = await load()
  const outcome = await fuzz(target, {
    cases: positionals.length > 0 ? Number(values.cases) : Math.ceil((Number(values.cases) * share) / 100),
    seed: Number(values.seed),
    corpus: await readCorpus(name),
    words: await wordsIn(covers, target.words),
    coverage,
    mostFindings: isExample ? 1 : 8,
    onProgress: progressOf(name),
  })
  if (values.keep) await writeCorpus(name, outcome.corpus)
  console.error(line(outcome))
  for (const finding of outcome.findings) console.error(told(finding))
  return outcome
}

/** A line a few seconds. */
function progressOf(name: string): (cases: number) => void {
  let saidAt = performance.now()
  return (cases) => {
    if (performance.now() - saidAt < 5000) return
    saidAt = performance.now()
    console.error(`${name}: ${cases} cases`)
  }
}

function line({ target, cases, ms, covered, corpus, findings }: Outcome): string {
  const rate = Math.round((cases / Math.max(1, ms)) * 1000)
  return `${target.padEnd(14)} ${cases} cases in ${(ms / 1000).toFixed(1)} s (${rate}/s), ${covered} characters covered, ${corpus.length} inputs, ${findings.length} findings`
}

function told({ target, what, stack, input }: Finding): string {
  return `\n${target}: ${what}\n  input (base64): ${Buffer.from(input).toString('base64')}\n  ${stack.replaceAll('\n', '\n  ')}`
}
