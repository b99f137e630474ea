import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { joinFacts } from '../history/join-facts.ts'
import { judge } from './judge.ts'
import { plants } from './support/planted.ts'
import { type Run, validRun } from './support/valid-run.ts'

type Found = { rule: string; id: string; handler?: string | undefined }

const found = (run: Run): Found[] =>
  judge(joinFacts(run.operations, run.final)).flatMap(({ rule, violations }) =>
    violations.map(({ message: { id, handler } }) => ({ rule, id, ...(handler !== undefined && { handler }) })),
  )

describe('the rules of a run', () => {
  it('hold wherever everything was as promised, whatever came twice or failed first', () => {
    const one = fc.property(validRun, (run) => {
      expect(found(run)).toEqual([])
    })
    fc.assert(one, { numRuns: 300 })
  })

  it.each(plants)('find $title, name the message, and say nothing else', ({ plant }) => {
    let planted = 0
    const one = fc.property(validRun, fc.nat(), (run, number) => {
      const expected = plant(structuredClone(run), (from) => from[number % from.length])
      fc.pre(expected !== undefined)
      const changed = structuredClone(run)
      plant(changed, (from) => from[number % from.length])
      planted++
      expect(found(changed)).toEqual([expect.objectContaining(expected)])
    })
    fc.assert(one, { numRuns: 60, maxSkipsPerRun: 200 })
    expect(planted).toBeGreaterThanOrEqual(60)
  })
})
