import { eventually } from '@malha/testing'
import type { StreamInfo } from '@nats-io/jetstream'
import type { Nemesis } from './nemesis.ts'
import { manager, streamNames } from './operator.ts'

/** Streams of events: those of the mesh itself are its memory, and nobody may expect anything without them. */
const OWN = /^(KV_|MESH$|ADVISORIES$|DEAD_LETTERS$|OPERATIONS$|AUDIT$|LANES_|DELAYS$|OBJ_)/

/** While most brokers are away nothing can be deleted or made. */
const AGAIN_WITHIN_MS = 90_000

/** An operator deletes a stream of events and makes it again, empty, as it was declared. */
export const deleteStream: Nemesis = {
  name: 'delete-stream',
  on: ['single', 'cluster'],
  isEarly: true,
  async begin({ operator }, random) {
    const { streams } = await manager(operator)
    const victim = random.pick((await streamNames(operator)).filter((name) => !OWN.test(name)))
    const info = await streams.info(victim)
    const { name, ...config } = info.config
    const again = { timeoutMs: AGAIN_WITHIN_MS, intervalMs: 250 }
    // Half of it must not remain undone, whatever else is broken at that moment: a request may time out and be done.
    await eventually(() => streams.delete(victim).catch(unless(/not found/i)), again)
    const made = await eventually(async () => {
      // A service that starts at this moment may be faster, and make it just the same.
      await streams.add({ name, ...config }).catch(unless(/already|in use/i))
      return streams.info(victim)
    }, again)
    return {
      target: victim,
      lost: { stream: victim, epoch: epochOf(info), nextEpoch: epochOf(made) },
      end: () => Promise.resolve(),
    }
  },
}

/** For a request that may be repeated: what it refuses then says that it was done. */
function unless(isDone: RegExp): (error: Error) => void {
  return (error) => {
    if (!isDone.test(error.message)) throw error
  }
}

function epochOf({ created }: StreamInfo): number {
  return Math.floor(Date.parse(created) / 1000)
}
