import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { joinFacts } from '../history/join-facts.ts'
import { judge } from './judge.ts'
import { deleteStream } from './support/delete-stream.ts'
import { effectsOf } from './support/plant.ts'
import { plants } from './support/planted.ts'
import { type Run, validRun } from './support/valid-run.ts'

type Found = { rule: string; id: string; handler?: string | undefined }

const found = (run: Run): Found[] =>
  judge(joinFacts(run.operations, run.final)).flatMap(({ rule, violations }) =>
    violations.map(({ message: { id, handler } }) => ({ rule, id, ...(handler !== undefined && { handler }) })),
  )

describe('the rules of a run', { timeout: 60_000 }, () => {
  it('hold wherever everything was as promised, whatever came twice or failed first', () => {
    const one = fc.property(validRun, (run) => {
      expect(found(run)).toEqual([])
    })
    fc.assert(one, { numRuns: 200 })
  })

  it('say nothing of what went with a stream that an operator deleted', () => {
    const one = fc.property(validRun, fc.constantFrom('JOBS', 'STEPS', 'REMINDERS'), fc.nat(200), (run, stream, at) => {
      const changed = structuredClone(run)
      deleteStream(changed, { stream, at })
      expect(found(changed)).toEqual([])
    })
    fc.assert(one, { numRuns: 200 })
  })

  it('still find what was lost that was published after a stream was deleted, or into another', () => {
    const one = fc.property(validRun, fc.nat(30), fc.nat(), (run, at, number) => {
      const changed = structuredClone(run)
      deleteStream(changed, { stream: 'STEPS', at })
      const later = changed.operations.flatMap((one) =>
        one.op === 'publish' && one.phase === 'invoke' && (one.type === 'job.made' || one.at > at) ? [one.id] : [],
      )
      const effects = effectsOf(changed).filter(({ id }) => later.includes(id))
      const lost = effects[number % effects.length]
      fc.pre(lost !== undefined)
      const { id, handler } = lost
      changed.operations = changed.operations.filter(
        (one) => one.op !== 'effect' || one.id !== id || one.handler !== handler,
      )
      expect(found(changed)).toEqual([{ rule: 'handled-once', id, handler }])
    })
    fc.assert(one, { numRuns: 100, maxSkipsPerRun: 200 })
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
    fc.assert(one, { numRuns: 40, maxSkipsPerRun: 200 })
    expect(planted).toBeGreaterThanOrEqual(40)
  })
})
