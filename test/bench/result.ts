import { judge, type Met } from './judge.ts'
import type { Machine } from './machine.ts'
import { measuredAs, median, type Rounds, shortName } from './ratio.ts'
import type { Case, Figures, Limits, Scenario } from './scenario.ts'

/** What `malha bench --json` writes. */
export type BenchResult = {
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  readonly scenarios: readonly CaseResult[]
  /** ISO 8601. */
  readonly startedAt: string
  readonly quick: boolean
}

/** One scenario at one size on one kind of broker. Figures without a variant's name are medians of the mesh's rounds. */
export type CaseResult = {
  /** The scenario's, and the case's suffix. */
  readonly name: string
  readonly scenario: string
  /** ISO 8601. */
  readonly startedAt: string
  readonly title: string
  readonly message: string
  readonly rate: number | null
  readonly cpuUsPerMessage: number | null
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly ratioToPlain: number | null
  readonly ratioToLean: number | null
  /** What both are ratios of. */
  readonly ratioOf: string
  readonly floor: Limits
  readonly goal: Limits
  readonly met: Met
  /** Every figure that a limit names. */
  readonly measured: Readonly<Record<string, number | null>>
  readonly payloadBytes: number
  readonly replicas: 1 | 3
  readonly messages: number
  readonly serverCpuUsPerMessage: number | null
  readonly rssMb: number | null
  readonly allocatedBytesPerMessage: number | null
  readonly socketWritesPerMessage: number | null
  /** Median of every figure of every variant. */
  readonly variants: Readonly<Record<string, Figures>>
  /** Every figure of every round of every variant. */
  readonly samples: Rounds
}

/** Adds a case up. */
export function resultOf(
  { name, scenario, of }: { name: string; scenario: Scenario; of: Case },
  { rounds, messages, startedAt }: { rounds: Rounds; messages: number; startedAt: string },
): CaseResult {
  const floor = of.floor ?? scenario.floor
  const goal = of.goal ?? scenario.goal
  const measured = (figure: string): number | undefined => measuredAs(rounds, figure)
  const { ratioOf = 'rate' } = scenario
  const ratioTo = (variant: string): number | null => rounded(measured(`${shortName(ratioOf)}To${variant}`))
  const figure = (of: string): number | null => rounded(measured(of))
  return {
    name: of.suffix === undefined ? name : `${name}-${of.suffix}`,
    scenario: name,
    startedAt,
    title: scenario.title,
    message: scenario.message,
    rate: figure('rate'),
    cpuUsPerMessage: figure('cpuUsPerMessage'),
    p50Ms: figure('p50Ms'),
    p99Ms: figure('p99Ms'),
    ratioToPlain: ratioTo('Plain'),
    ratioToLean: ratioTo('Lean'),
    ratioOf,
    floor,
    goal,
    met: judge(floor, goal, measured),
    measured: Object.fromEntries(Object.keys({ ...floor, ...goal }).map((name) => [name, rounded(measured(name))])),
    payloadBytes: of.payloadBytes,
    replicas: of.replicas,
    messages,
    serverCpuUsPerMessage: figure('serverCpuUsPerMessage'),
    rssMb: figure('rssMb'),
    allocatedBytesPerMessage: figure('allocatedBytesPerMessage'),
    socketWritesPerMessage: figure('socketWritesPerMessage'),
    variants: Object.fromEntries(Object.entries(rounds).map(([variant, all]) => [variant, medians(all)])),
    samples: Object.fromEntries(
      Object.entries(rounds).map(([variant, all]) => [variant, all.map((each) => mapFigures(each, short))]),
    ),
  }
}

function medians(rounds: readonly Figures[]): Figures {
  return mapFigures(rounds[0] ?? {}, (_, name) => short(median(rounds.flatMap((round) => round[name] ?? []))))
}

const mapFigures = (figures: Figures, change: (value: number, name: string) => number): Figures =>
  Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, change(value, name)]))

/** Four digits tell more than a benchmark can. */
const short = (value: number): number => Number(value.toPrecision(4))

const rounded = (value: number | undefined): number | null => (value === undefined ? null : short(value))
