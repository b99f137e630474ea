import { type CutPoint, cutPoints } from './cuts.ts'
import type { Journal } from './disk-op.ts'
import type { FileSystem } from './durable.ts'
import { type Configuration, failAt, type Outcome } from './power-failure.ts'
import type { Recording } from './recording.ts'
import { failSpoolAt } from './spool-failure.ts'
import { LUCK, type Luck } from './survivors.ts'

/** What came of all the losses of power of one configuration. Counts of acknowledged events where not said otherwise. */
export type Result = {
  name: string
  fileSystem: FileSystem
  cuts: number
  cutsWithLoss: number
  acknowledged: number
  lost: number
  /** The most that one loss of power took. */
  lostAtMost: number
  /** Of how many cuts with this luck some lost something. */
  byLuck: Record<Luck, { cuts: number; withLoss: number }>
  /** Ids that were stored twice, over all cuts, also after their publishers had repeated them. */
  doubled: number
  /** Cuts after which no broker came back. */
  broken: number
  /** Cuts after which a broker came back and stored nothing new within half a minute. */
  stuck: number
  /** Cuts after which the durable said that it was past the end of its stream. */
  floorBeyondEnd: number
  /** Cuts after which the handler did not get all that it had not done, new events among it. */
  passedOver: number
}

/** What `main.ts` keeps. */
export type Findings = {
  versions: { natsServer: string; node: string; strace: string; kernel: string }
  results: Result[]
}

export type Progress = (done: number, of: number) => void

export type Plan = {
  count: number
  seed: number
  lanes: number
  onProgress?: Progress
  onOutcome?: (outcome: Outcome) => void
}

/** Cuts the power of a configuration at `count` points of a recording of it. */
export async function measure(recording: Recording, configuration: Configuration, plan: Plan): Promise<Result> {
  const points = cutPoints(recording, plan)
  const cut = configuration.isWithoutSyncs ? withoutSyncs(recording) : recording
  const outcomes = await inLanes(points, plan, async (point) => {
    const outcome = await failAt(cut, point, configuration)
    plan.onOutcome?.(outcome)
    return outcome
  })
  return summary(configuration, outcomes)
}

/** The same for a spool. */
export async function measureSpool(recording: Recording, of: Variant, plan: Plan): Promise<Result> {
  const cut = of.isWithoutSyncs ? withoutSyncs(recording) : recording
  const outcomes = await inLanes(cutPoints(recording, plan), plan, (point) => failSpoolAt(cut, point, of.fileSystem))
  return summary(of, outcomes)
}

type Variant = { name: string; fileSystem: FileSystem; isWithoutSyncs?: boolean }

/** @returns what `each` made of the points, in their order */
async function inLanes<T>(
  points: readonly CutPoint[],
  plan: Plan,
  each: (point: CutPoint) => Promise<T>,
): Promise<T[]> {
  const results: T[] = []
  let next = 0
  let done = 0
  const lane = async (): Promise<void> => {
    while (next < points.length) {
      const index = next++
      results[index] = await each(points[index]!)
      plan.onProgress?.(++done, points.length)
    }
  }
  await Promise.all(Array.from({ length: plan.lanes }, lane))
  return results
}

type Judged = Pick<
  Outcome,
  'luck' | 'acknowledged' | 'lost' | 'doubled' | 'passedOver' | 'isFloorBeyondEnd' | 'broken' | 'stuck'
>

export function summary(
  { name, fileSystem }: { name: string; fileSystem: FileSystem },
  outcomes: readonly Judged[],
): Result {
  const sum = (count: (one: Judged) => number): number => outcomes.reduce((total, one) => total + count(one), 0)
  const cutsOf = (luck: Luck): Judged[] => outcomes.filter((one) => one.luck === luck)
  const withLoss = (some: readonly Judged[]): number => some.filter(({ lost }) => lost.length > 0).length
  return {
    name,
    fileSystem,
    cuts: outcomes.length,
    cutsWithLoss: withLoss(outcomes),
    acknowledged: sum((one) => one.acknowledged),
    lost: sum((one) => one.lost.length),
    lostAtMost: Math.max(0, ...outcomes.map(({ lost }) => lost.length)),
    byLuck: Object.fromEntries(
      LUCK.map((luck) => [luck, { cuts: cutsOf(luck).length, withLoss: withLoss(cutsOf(luck)) }]),
    ) as Result['byLuck'],
    doubled: sum((one) => one.doubled.length),
    broken: sum((one) => (one.broken === undefined ? 0 : 1)),
    stuck: sum((one) => (one.stuck === undefined ? 0 : 1)),
    floorBeyondEnd: sum((one) => (one.isFloorBeyondEnd ? 1 : 0)),
    passedOver: sum((one) => (one.passedOver.length > 0 ? 1 : 0)),
  }
}

/** A recording of a server that had never told its disk to keep anything: what the model must not forgive. */
export function withoutSyncs(recording: Recording): Recording {
  const bare = ({ ops, sent }: Journal): Journal => ({
    sent,
    ops: ops.filter(({ kind }) => kind !== 'sync').map((op) => (op.kind === 'write' ? { ...op, synced: false } : op)),
  })
  return { ...recording, journals: new Map([...recording.journals].map(([name, journal]) => [name, bare(journal)])) }
}
