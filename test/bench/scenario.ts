import type { Broker } from './broker.ts'
import type { PartRound, Settings } from './protocol.ts'
import type { VariantProcess } from './variant-process.ts'

/** Figures of one round, by name: `rate`, `cpuUsPerMessage`, `p50Ms`, … and those a scenario adds. */
export type Figures = Readonly<Record<string, number>>

/**
 * What must hold, by figure (`rate`, `meanMs`, …) or by ratio to another variant (`ratioToPlain`, `cpuToPlain`, `p50ToLean`, …).
 * At least, for `rate` and `ratioTo…`; at most, for all others.
 */
export type Limits = Figures

/** One row of the results: a scenario at one size, on one kind of broker. */
export type Case = {
  /** Behind the scenario's name in the results; the first case of a scenario has none. */
  readonly suffix?: string
  readonly payloadBytes: number
  /** On 3, a cluster of three servers. */
  readonly replicas: 1 | 3
  /** Instead of the scenario's. */
  readonly floor?: Limits
  readonly goal?: Limits
  /** Instead of the scenario's. A case that is not the first is in a quick run only if it says `quick` here. */
  readonly messages?: { readonly quick?: number; readonly full: number }
  /** What else its variants need to know. */
  readonly settings?: Settings
}

/** What `prepare` gets. What it opens it hands to `opened`, which is closed behind the case. */
export type Place = {
  readonly broker: Broker
  readonly case: Case
  readonly messages: number
  readonly opened: AsyncDisposableStack
}

/** One variant's turn in one round. */
export type Turn = {
  readonly broker: Broker
  readonly case: Case
  readonly variant: string
  /** In a round. */
  readonly messages: number
  /** Its processes, in the order the scenario names them. */
  readonly parts: readonly VariantProcess[]
  /** From 1; 0 warms up and does not count. */
  readonly round: number
  /** What `prepare` returned. */
  readonly settings: Settings
}

/** What a round gave: its figures, and what each process measured. */
export type Round = { readonly figures: Figures; readonly parts: readonly PartRound[] }

/** A scenario as declared data, in `scenarios/<name>/scenario.ts`. README.md of this folder says how to write one. */
export type Scenario = {
  /** What it shows, in one sentence. */
  readonly title: string
  /** What one message is. */
  readonly message: string
  /** Files beside `scenario.ts`, a process each. `mesh` is the one that is judged. */
  readonly variants: Readonly<Record<string, readonly string[]>> & { readonly mesh: readonly string[] }
  readonly cases: readonly [Case, ...Case[]]
  /** In a round. Without `quick` it is left out of a quick run. */
  readonly messages: { readonly quick?: number; readonly full: number }
  /** @default 7 */
  readonly rounds?: number
  /** What must hold. */
  readonly floor: Limits
  /** What we are after. */
  readonly goal: Limits
  /**
   * What clients of a cluster are told of: the server that leads every stream, so that all variants have the same way to it, or
   * all three.
   * @default 'leader'
   */
  readonly servers?: 'leader' | 'all'
  /** What `ratioToPlain` and `ratioToLean` are ratios of. @default 'rate' */
  readonly ratioOf?: string
  /** Once a case, before its processes start: streams, other servers. What it returns all variants get. */
  readonly prepare?: (place: Place) => Promise<Settings | undefined>
  /** Figures out of what the processes measured, beside the usual ones. */
  readonly figures?: (parts: readonly PartRound[]) => Figures
  /** Figures of the mesh out of those of all variants in one round: a difference, for instance. */
  readonly derive?: (variants: Readonly<Record<string, Figures>>) => Figures
  /** A round that is no `prepare`, `run`, `clean` of its processes. @default {@link file://./round.ts} */
  readonly round?: (turn: Turn) => Promise<Round>
}
