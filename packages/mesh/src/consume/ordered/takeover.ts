import type { RunnerOptions } from '../runner-options.ts'
import { streamState } from '../../topology/stream-state.ts'
import { truthUpTo, withoutEnd } from './lost-end.ts'
import type { DoubtRecord } from './doubt.ts'
import type { PartitionRecord } from './partition-record.ts'
import type { Beginning } from './partition-store.ts'

export type TakeoverOptions = {
  runner: RunnerOptions
  beginning: Beginning
  /** What the partition takes, as the server sees it. */
  filter: string
  epoch: number
  /** Who takes it. */
  instance: string
}

/**
 * What is written to take a partition over. The fence also grows over a loss of the bucket, as far as clocks do.
 * @throws Error when the stream was made anew, or the server does not answer
 */
export async function takeover(
  before: PartitionRecord | undefined,
  options: TakeoverOptions,
): Promise<PartitionRecord> {
  const { runner, beginning, filter, epoch, instance } = options
  const { nc, stream, service, handler, log } = runner
  const mine = { epoch, owner: instance, fence: Math.max((before?.fence ?? 0) + 1, Date.now()), writes: 0 }
  // Of a stream that was made anew since all is for this handler.
  const read = before === undefined && beginning.epoch === epoch ? beginning.read : 0
  const known: PartitionRecord =
    before?.epoch === epoch ? before : { ...mine, read, seen: 0, seenAt: '', running: [], open: [] }
  const truth = await truthUpTo({ nc, stream, epoch, filter }, known)
  if (truth === undefined) throw new Error(`${stream} was made anew`)
  if (truth < known.read) {
    const about = { service: service.name, handler, read: known.read, upTo: truth }
    log.error(about, 'the stream lost its end; reads on from there')
  }
  return { ...withoutEnd(known, truth), ...(await doubtAfter(known, options)), ...mine }
}

/** An instance that did not let go may have ended by what it had in hand, which is in the stream by now. */
async function doubtAfter(
  known: PartitionRecord,
  { runner, instance }: TakeoverOptions,
): Promise<Partial<DoubtRecord>> {
  const { owner, unclean = 0 } = known
  if (owner === '' || owner === instance) return {}
  const { lastSeq } = await streamState(runner.nc, runner.stream)
  return { unclean: unclean + 1, doubtful: lastSeq }
}
