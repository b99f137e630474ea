/**
 * Brings back what the server gave up of one durable, from outside of the process that runs its handler.
 *
 * B1  The checkpoint is written after the durable is set back, and the limit lifted after that: whoever ends in between leaves
 *     what the next one acts upon.
 * B2  What was told before a durable was set back to it, or before it, is done with.
 */
import type { KV } from '@nats-io/kv'
import { liftLimit } from '../consume/given-up.ts'
import { nanosOf } from '../consume/ordered/stored-delivery.ts'
import { setBack } from '../consume/set-back.ts'
import { type LetterOffice, writeExpiredLetter } from '../failure/dead-letter.ts'
import { getStored } from '../read/stored-message.ts'
import { type Checkpoint, type LastSetBack, readCheckpoint, writeCheckpoint } from '../topology/checkpoint.ts'
import { FORMAT } from '../topology/system.ts'
import type { Advisory } from './advisory.ts'
import type { OwnDurable } from './own-durables.ts'

export type BringBackDeps = Pick<LetterOffice, 'nc' | 'names' | 'pipeline'> & { checkpoints: KV }

type Told = Pick<Advisory, 'seq' | 'at'>

/** From where it was set back; undefined where there was nothing to bring back. */
export type BroughtBack = LastSetBack | undefined

/**
 * @param told undefined: the durable has a limit, or its numbers say that something was given up
 * @throws Error when the server refuses to set it back
 */
export async function bringBack(
  deps: BringBackDeps,
  durable: OwnDurable,
  told: Told | undefined,
): Promise<BroughtBack> {
  const checkpoint = durable.isQueue ? undefined : await checkpointOf(deps, durable)
  if (told && isCovered(told, checkpoint?.lastSetBack)) return undefined
  const settled = checkpoint?.settled ?? durable.floor.ackFloor
  if (told && !(await isLost(deps, durable, { told, settled }))) return undefined
  const end = durable.isQueue ? 0 : Math.min(durable.floor.ackFloor, settled, (told?.seq ?? Infinity) - 1)
  const { refusal, done } = await setBack(deps.nc, { ...durable, seq: end + 1 })
  if (refusal !== undefined) throw new Error(`${durable.durable} cannot be set back (${refusal})`)
  if (checkpoint) await note(deps, durable, { checkpoint, end, done })
  if (durable.floor.mostDeliveries < Infinity) await liftLimit(deps.nc, durable)
  return done
}

/** Upholds B2. */
export const isCovered = (told: Told, last: LastSetBack | undefined): boolean =>
  last !== undefined && BigInt(told.at) <= BigInt(last.at) && told.seq >= last.from

async function checkpointOf(
  { checkpoints }: BringBackDeps,
  { stream, durable, epoch }: OwnDurable,
): Promise<Checkpoint | undefined> {
  const found = await readCheckpoint(checkpoints, durable)
  return found?.stream === stream && found.epoch === epoch ? found : undefined
}

/** Whether a message that was given up has neither a letter nor a place on the lane. One that is gone by now gets its letter here. */
async function isLost(
  deps: BringBackDeps,
  { stream, epoch, isQueue, labels }: OwnDurable,
  { told: { seq }, settled }: { told: Told; settled: number },
): Promise<boolean> {
  const { nc, names } = deps
  const stored = await getStored(nc, stream, { seq })
  // What left a queue is done. Of what left another stream a handler that is not past it is told as of all that ages out.
  if (!stored && !isQueue && seq <= settled)
    await writeExpiredLetter({ ...deps, ...labels, serviceVersion: FORMAT }, { stream, epoch, from: seq, to: seq })
  if (!stored || isQueue) return stored !== undefined
  const { service, handler } = labels
  const place = { stream, epoch, seq, storedAt: nanosOf(stored.time) }
  const [letter, copy] = await Promise.all([
    getStored(nc, names.stream('DEAD_LETTERS'), {
      last_by_subj: names.deadLetter(names.durable(service, handler), place),
    }),
    getStored(nc, names.lanes(service), { last_by_subj: names.laneSchedule(service, handler, place) }),
  ])
  return !letter && !copy
}

/** As the handler's own look would: it goes back where others read it, and counts. */
async function note(
  { checkpoints }: BringBackDeps,
  { stream, durable, epoch }: OwnDurable,
  { checkpoint, end, done }: { checkpoint: Checkpoint; end: number; done: LastSetBack | undefined },
): Promise<void> {
  await writeCheckpoint(checkpoints, durable, {
    v: 1,
    stream,
    epoch,
    floor: Math.min(checkpoint.floor, end),
    settled: Math.min(checkpoint.settled, end),
    setBacks: (checkpoint.setBacks ?? 0) + 1,
    ...(done && { lastSetBack: done }),
  })
}
