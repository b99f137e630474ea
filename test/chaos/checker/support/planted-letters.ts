import { correctionOf } from '../../history/correction.ts'
import type { Letter } from '../../history/final-state.ts'
import { effectsOf, isLetter, unstore, type Plant } from './plant.ts'
import type { Run } from './valid-run.ts'

/** What stands for effects of letters in a run whose handlers were mended. */
function sentAgain(run: Run): Letter[] {
  return run.final.isMended ? run.final.letters : []
}

/** What an operator knows of correcting it; undefined where nobody tried. */
function isCertain(run: Run, { id }: Letter): boolean | undefined {
  const edits = run.operations.flatMap((one) => (one.op === 'nemesis' ? (one.edited ?? []) : []))
  return edits.find((one) => one.id === id)?.isCertain
}

export const letterPlants: readonly Plant[] = [
  {
    title: 'a dead letter that was sent again and has no effect',
    plant(run, pick) {
      const lost = pick(sentAgain(run))
      if (!lost) return undefined
      const { id, handler } = lost
      run.operations = run.operations.filter((one) => one.op !== 'effect' || one.id !== id || one.handler !== handler)
      return { rule: 'dead-letters', id, handler }
    },
  },
  {
    title: 'a dead letter that was sent again and has two effects',
    plant(run, pick) {
      const twice = pick(sentAgain(run))
      if (!twice) return undefined
      const { id, handler } = twice
      const effect = run.operations.find((one) => one.op === 'effect' && one.id === id && one.handler === handler)!
      run.operations.push({ ...effect, at: effect.at + 1 })
      return { rule: 'dead-letters', id, handler }
    },
  },
  {
    title: 'a dead letter that was corrected and sent again as it was',
    plant(run, pick) {
      const { id, handler } = pick(sentAgain(run).filter((one) => isCertain(run, one) === true)) ?? {}
      if (id === undefined) return undefined
      for (const one of run.operations)
        if (one.op === 'effect' && one.id === id && one.handler === handler) delete one.of
      return { rule: 'dead-letters', id, ...(handler !== undefined && { handler }) }
    },
  },
  {
    title: 'a dead letter that was sent again with a correction that nobody made',
    plant(run, pick) {
      const { id, handler } = pick(sentAgain(run).filter((one) => isCertain(run, one) === undefined)) ?? {}
      if (id === undefined) return undefined
      for (const one of run.operations)
        if (one.op === 'effect' && one.id === id && one.handler === handler) one.of = correctionOf(id)
      return { rule: 'dead-letters', id, ...(handler !== undefined && { handler }) }
    },
  },
  {
    title: 'a dead letter of what was not tried',
    plant(run, pick) {
      const early = pick(run.final.letters)
      if (!early) return undefined
      const { id, handler } = early
      run.operations = run.operations.filter((one) => one.op !== 'delivery' || one.id !== id || one.handler !== handler)
      return { rule: 'dead-letters', id, handler }
    },
  },
  {
    title: 'a dead letter that was dropped',
    plant(run, pick) {
      const dropped = pick(run.final.letters)
      if (!dropped) return undefined
      run.final.letters = run.final.letters.filter((one) => one !== dropped)
      const { id, handler } = dropped
      run.operations = run.operations.filter((one) => one.op !== 'effect' || one.id !== id || one.handler !== handler)
      unstore(
        run,
        run.final.streams.find((one) => isLetter(one) && one.id === dropped.id)!,
      )
      return { rule: 'dead-letters', id: dropped.id, handler: dropped.handler }
    },
  },
  {
    title: 'a dead letter twice',
    plant(run, pick) {
      const twice = pick(run.final.letters)
      if (!twice) return undefined
      run.final.letters.push({ ...twice })
      return { rule: 'dead-letters', id: twice.id, handler: twice.handler }
    },
  },
  {
    title: 'a dead letter in place of an effect',
    plant(run, pick) {
      const effect = pick(effectsOf(run))
      if (!effect) return undefined
      const { handler, id } = effect
      run.operations = run.operations.filter((one) => one.op !== 'effect' || one.id !== id || one.handler !== handler)
      // Its output went with it.
      const output = run.final.streams.find(({ causation }) => handler === 'jobs.work' && causation === id)
      if (output) unstore(run, output)
      const { stream, epoch, seq, type } = run.final.streams.find((one) => one.id === id)!
      run.final.letters.push({ handler, stream, epoch, seq, id, type, reason: 'MESH_ATTEMPTS' })
      return { rule: 'dead-letters', id, handler }
    },
  },
]
