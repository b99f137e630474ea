import type { StoredMessage } from '../../history/final-state.ts'
import { BEGAN_AT, EPOCH, type Run } from './valid-run.ts'

/**
 * An operator deletes a stream at some time of the run and makes it again: what it held is gone, half of it before it was
 * handled. The archive has kept its rows.
 */
export function deleteStream(run: Run, { stream, at }: { stream: string; at: number }): void {
  const goneBefore = BEGAN_AT + at
  const isGone = (one: StoredMessage): boolean => one.stream === stream && one.time < goneBefore
  const gone = run.final.streams.filter(isGone)
  const nextEpoch = EPOCH + 7
  run.final.streams = run.final.streams.filter((one) => !isGone(one))
  const kept = run.final.streams.filter((one) => one.stream === stream)
  for (const { seq } of kept)
    run.final.archive.find((row) => row.stream === stream && row.seq === seq)!.epoch = nextEpoch
  for (const one of kept) one.epoch = nextEpoch
  const unhandled = new Set(gone.filter((_, index) => index % 2 === 0).map(({ id }) => id))
  run.operations = run.operations.filter((one) => one.op !== 'effect' || !unhandled.has(one.id))
  const lost = { stream, epoch: EPOCH, nextEpoch }
  run.operations.push({ op: 'nemesis', phase: 'begin', name: 'delete-stream', target: stream, lost, at })
}
