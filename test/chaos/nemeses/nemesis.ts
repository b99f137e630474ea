import type { Random } from '../random.ts'
import type { ChaosSystem, Topology } from '../system.ts'

/** One way to break a system that runs. */
export type Nemesis = {
  /** In kebab-case, as `--only` takes it. */
  readonly name: string
  readonly on: readonly Topology[]
  /** It only comes early in a run: of what it takes away there is nothing to judge, and most of a run is to be judged. */
  readonly isEarly?: true
  /**
   * Does the harm. Which part it hits follows from `random` alone, so that a seed gives the same run. It must not wait
   * for the system to recover; `end` may, for some seconds.
   */
  begin(system: ChaosSystem, random: Random): Promise<Harm>
}

/**
 * A stream that was deleted and made again at once. A message of it whose publish began before it was there again may
 * be handled never, once or, published again, twice; all others as ever.
 */
export type LostStream = {
  readonly stream: string
  /** Of the one that was deleted, see `StoredMessage`. */
  readonly epoch: number
  /** Of the one that was made. */
  readonly nextEpoch: number
}

/** A dead letter that an operator corrected, or tried to: then nobody said whether it is. `id` is the `ce-id`. */
export type Edited = { readonly id: string; readonly isCertain: boolean }

export type Harm = {
  /** What was hit, for people: `provider → nats-2, what it hears`. */
  readonly target: string
  /** What the operator's hand took away, for which the mesh does not answer. */
  readonly lost?: LostStream
  readonly edited?: readonly Edited[]
  /** Undoes it. Also called when the run is interrupted. */
  readonly end: () => Promise<void>
}
