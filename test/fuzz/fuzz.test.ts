import { expect, test } from 'vitest'
import { readCorpus } from './engine/corpus.ts'
import { fuzz } from './engine/fuzz.ts'
import { wordsIn } from './engine/words.ts'
import { targets } from './targets/index.ts'

/** Of all targets together, beside the inputs of earlier runs. */
const CASES = 4000

test.each(Object.entries(targets).filter(([, { isExample }]) => !isExample))(
  '%s holds for the inputs of earlier runs, and for some made of them',
  { timeout: 60_000 },
  async (name, { load, covers, share }) => {
    const target = await load()
    const corpus = await readCorpus(name)
    const outcome = await fuzz(target, {
      cases: corpus.length + (CASES * share) / 100,
      seed: 1,
      corpus,
      words: await wordsIn(covers, target.words),
      mostFindings: 8,
    })
    expect(outcome.findings).toEqual([])
    expect(outcome.cases).toBeGreaterThan(corpus.length)
  },
)
