import { effectsOf, dueOf, publishedAs, unstore, type Plant } from './plant.ts'
import { store } from './valid-run.ts'

export const delayPlants: readonly Plant[] = [
  {
    title: 'a delayed message that comes early',
    plant(run, pick) {
      const early = pick(run.final.streams.filter((one) => dueOf(run, one.id) !== undefined))
      if (!early) return undefined
      early.time -= 2
      return { rule: 'delayed-in-time', id: early.id }
    },
  },
  {
    title: 'a delayed message of which the broker was told another time',
    plant(run, pick) {
      const early = pick(run.final.streams.filter((one) => dueOf(run, one.id) !== undefined))
      if (!early) return undefined
      early.time -= 200
      early.due! -= 200
      return { rule: 'delayed-in-time', id: early.id }
    },
  },
  {
    title: 'an effect of a delayed message before its time',
    plant(run, pick) {
      const early = pick(effectsOf(run).filter(({ handler }) => handler === 'late.remind'))
      if (!early) return undefined
      early.at = dueOf(run, early.id)! - 100
      return { rule: 'delayed-in-time', id: early.id }
    },
  },
  {
    title: 'a delayed message that comes twice',
    plant(run, pick) {
      const twice = pick(run.final.streams.filter((one) => dueOf(run, one.id) !== undefined))
      if (!twice) return undefined
      store(run, { stream: twice.stream, id: twice.id, type: twice.type, at: 10_000 })
      return { rule: 'delayed-in-time', id: twice.id }
    },
  },
  {
    title: 'a delayed message that never comes',
    plant(run, pick) {
      const acknowledged = new Set(publishedAs(run, 'ok'))
      const lost = pick(run.final.streams.filter((one) => acknowledged.has(one.id) && dueOf(run, one.id) !== undefined))
      if (!lost) return undefined
      unstore(run, lost)
      run.operations = run.operations.filter((one) => one.op === 'publish' || !('id' in one) || one.id !== lost.id)
      return { rule: 'delayed-in-time', id: lost.id }
    },
  },
]
