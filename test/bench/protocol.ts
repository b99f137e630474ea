/** What the runner and a variant's process say to each other: a line of JSON each, over stdin and stdout. */

/** Data for a variant, of whatever the scenario needs. */
export type Settings = Readonly<Record<string, unknown>>

/** What a process is told once. */
export type Setup<S extends Settings = Settings> = {
  /** As `NATS_URL` takes it. */
  readonly servers: string
  /** The variant's name: a namespace of its own, if it wants one. */
  readonly variant: string
  /** Which of the variant's processes this is, from 0. */
  readonly part: number
  readonly payloadBytes: number
  readonly replicas: 1 | 3
  /** In a round. */
  readonly messages: number
  readonly settings: S
}

export type Latency = {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly meanMs: number
  readonly maxMs: number
}

/** What a process measured of itself in the timed part of a round. */
export type PartRound = {
  /** Counted here. What another process of the variant counts is not counted twice. */
  readonly messages: number
  /** On the clock all processes of this machine share, ms. */
  readonly startedAt: number
  readonly endedAt: number
  /** User and system time of the process, µs. */
  readonly cpuUs: number
  /** At the end. */
  readonly rssMb: number
  /** On the JavaScript heap. */
  readonly allocatedBytes: number
  readonly socketWrites: number
  readonly latency?: Latency
  readonly figures: Readonly<Record<string, number>>
}

export type Command = 'setup' | 'prepare' | 'run' | 'clean' | 'close'

export type Ask = { readonly do: Command; readonly round: number; readonly setup?: Setup; readonly given?: Settings }

export type Answer = { readonly done?: PartRound | null; readonly failed?: string }

/** Begins a line of stdout that is an answer; everything else a process says is for people. */
export const ANSWER = '\u0001bench '
