import type { Harm, Nemesis } from './nemesis.ts'
import { askBrokers, durables, placeOf, streamNames } from './operator.ts'

const over = (target: string): Harm => ({ target, end: () => Promise.resolve() })

/** Makes the leader of a stream hand over to another broker. */
export const stepDownStream: Nemesis = {
  name: 'step-down-stream',
  on: ['cluster'],
  async begin({ operator }, random) {
    const stream = random.pick(await streamNames(operator))
    await askBrokers(operator, `STREAM.LEADER.STEPDOWN.${stream}`)
    return over(stream)
  },
}

/** Makes the leader of a consumer hand over to another broker. */
export const stepDownConsumer: Nemesis = {
  name: 'step-down-consumer',
  on: ['cluster'],
  async begin({ operator }, random) {
    const consumer = random.pick(await durables(operator))
    await askBrokers(operator, `CONSUMER.LEADER.STEPDOWN.${consumer.stream_name}.${consumer.name}`)
    return over(placeOf(consumer))
  },
}

/** Makes the broker that decides where streams and consumers are hand over to another. */
export const stepDownMeta: Nemesis = {
  name: 'step-down-meta',
  on: ['cluster'],
  async begin({ systemAccount }) {
    await askBrokers(systemAccount, 'META.LEADER.STEPDOWN')
    return over('meta leader')
  },
}
