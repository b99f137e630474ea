import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkSaved } from './check-saved.ts'
import { describeVerdict } from './describe-verdict.ts'
import { plants } from './support/planted.ts'
import { saveRun } from './support/save-run.ts'
import { type Run, validRun } from './support/valid-run.ts'

function newFolder(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'malha-saved-run-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** A run with everything in it that a defect can be planted in. */
function richRun(): Run {
  const isRich = ({ operations, final }: Run): boolean =>
    final.letters.length > 0 && operations.filter(({ op }) => op === 'effect').length > 10
  const run = fc.sample(validRun.filter(isRich), { numRuns: 1, seed: 4711 })[0]
  if (!run) throw new Error('no run has a dead letter')
  return run
}

describe('checking a saved run', () => {
  it('finds nothing in a good one, though a kill cut a line', async () => {
    using folder = newFolder()
    await saveRun(folder.path, richRun())
    appendFileSync(join(folder.path, 'operations', 'publisher.jsonl'), '{"op":"publish","pha')
    const verdict = checkSaved(folder.path)
    expect(verdict).toMatchObject({ holds: true, torn: [expect.stringMatching(/^operations\/publisher\.jsonl:\d+$/)] })
    expect(verdict.rules.map(({ count }) => count)).toEqual(verdict.rules.map(() => 0))
  })

  it('finds what was planted again, with the lines of its files that show it', async () => {
    using folder = newFolder()
    const run = richRun()
    const dropped = plants
      .find(({ title }) => title === 'a dead letter that was dropped')
      ?.plant(run, ([first]) => first)
    if (!dropped) throw new Error('nothing was dropped')
    await saveRun(folder.path, run)
    const verdict = checkSaved(folder.path)
    expect(verdict).toEqual(checkSaved(folder.path))
    const [violation] = verdict.rules.find(({ rule }) => rule === dropped.rule)!.violations
    expect(violation?.says).toBe(
      `${violation?.message.type} ${dropped.id} of key ${violation?.message.key} for ${dropped.handler} must be rejected and has no dead letter`,
    )
    const operations = violation?.lines.map(({ text }) => JSON.parse(text) as { op?: string; id?: string })
    // A nemesis that corrected it has it in a list.
    const others = operations?.filter(({ op, id }) => op !== 'nemesis' && id !== dropped.id)
    expect(others).toEqual([])
    expect(operations?.map(({ op }) => op)).toEqual(expect.arrayContaining(['publish', 'delivery']))
    expect(describeVerdict(verdict)).toContain(`BROKEN dead-letters: `)
  })
})
