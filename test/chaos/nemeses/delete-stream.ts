import type { StreamInfo } from '@nats-io/jetstream'
import type { Nemesis } from './nemesis.ts'
import { manager, streamNames } from './operator.ts'

/** Streams of events: those of the mesh itself are its memory, and nobody may expect anything without them. */
const OWN = /^(KV_|MESH$|DEAD_LETTERS$|LANES_|DELAYS$|OBJ_)/

/** An operator deletes a stream of events and makes it again, empty, as it was declared. */
export const deleteStream: Nemesis = {
  name: 'delete-stream',
  on: ['single', 'cluster'],
  async begin({ operator }, random) {
    const { streams } = await manager(operator)
    const victim = random.pick((await streamNames(operator)).filter((name) => !OWN.test(name)))
    const info = await streams.info(victim)
    await streams.delete(victim)
    const { name, ...config } = info.config
    const made = await streams.add({ name, ...config }).catch(async (error: Error) => {
      // A service that starts at this moment may be faster.
      if (!/already|in use/i.test(error.message)) throw error
      return streams.info(victim)
    })
    return {
      target: victim,
      lost: { stream: victim, epoch: epochOf(info), nextEpoch: epochOf(made) },
      end: () => Promise.resolve(),
    }
  },
}

function epochOf({ created }: StreamInfo): number {
  return Math.floor(Date.parse(created) / 1000)
}
