import { effectsOf, isLetter, unstore, type Plant } from './plant.ts'

export const letterPlants: readonly Plant[] = [
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
