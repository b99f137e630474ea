import type { ConsumerInfo } from '@nats-io/jetstream'
import type { Harm, Nemesis } from './nemesis.ts'
import { durables, manager, placeOf } from './operator.ts'

const over = (info: ConsumerInfo): Harm => ({ target: placeOf(info), end: () => Promise.resolve() })

/** An operator deletes a consumer that is in use. */
export const deleteConsumer: Nemesis = {
  name: 'delete-consumer',
  on: ['single', 'cluster'],
  async begin({ operator }, random) {
    const victim = random.pick(await durables(operator))
    await (await manager(operator)).consumers.delete(victim.stream_name, victim.name)
    return over(victim)
  },
}

/** An operator deletes a consumer that is in use and makes it again, from the first message that had no ack. */
export const recreateConsumer: Nemesis = {
  name: 'recreate-consumer',
  on: ['single', 'cluster'],
  async begin({ operator }, random) {
    const { consumers } = await manager(operator)
    const { stream_name: stream, name } = random.pick(await durables(operator))
    const victim = await consumers.info(stream, name)
    await consumers.delete(stream, name)
    const { opt_start_seq: _seq, opt_start_time: _time, ...config } = victim.config
    const { ack_floor: floor } = victim
    // A work queue takes no other start than its first message.
    const isQueue = (await (await manager(operator)).streams.info(stream)).config.retention === 'workqueue'
    const start = { deliver_policy: 'by_start_sequence', opt_start_seq: floor.stream_seq + 1 } as const
    await consumers
      .add(stream, { ...config, ...(isQueue ? { deliver_policy: 'all' } : start) })
      .catch((error: Error) => {
        // The service that uses it may be faster.
        if (!/already|exists/i.test(error.message)) throw error
      })
    return over(victim)
  },
}
