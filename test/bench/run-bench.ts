import { chosenOf, findScenarios } from './find-scenarios.ts'
import { theVersions, thisMachine } from './machine.ts'
import { type BenchResult, type CaseResult, resultOf } from './result.ts'
import { type Found, runCase } from './run-case.ts'
import type { Case } from './scenario.ts'
import { drawCase } from './table.ts'

export type BenchOptions = {
  /** Small rounds of each scenario's first case. */
  readonly quick: boolean
  /** @default all */
  readonly only?: readonly string[]
  readonly signal: AbortSignal
  /** Hears which scenario, variant and round runs, and what each case came to. */
  readonly say: (what: string) => void
}

const ROUNDS = { quick: 5, full: 7 }

/** Runs the scenarios one after the other. @throws Error when one cannot be run */
export async function runBench(options: BenchOptions): Promise<BenchResult> {
  const startedAt = new Date().toISOString()
  const versions = await theVersions()
  const scenarios: CaseResult[] = []
  for (const found of chosenOf(await findScenarios(), options.only)) {
    for (const of of casesOf(found, options.quick)) {
      const result = await measure(found, of, options)
      options.say(drawCase(result))
      scenarios.push(result)
    }
  }
  return { machine: thisMachine(), versions, scenarios, startedAt, quick: options.quick }
}

/** A quick run has the first case of a scenario, and others that say how many messages they have in one. */
function casesOf({ scenario }: Found, quick: boolean): readonly Case[] {
  if (!quick) return scenario.cases
  return scenario.cases.filter(({ messages }, index) => {
    const size = index === 0 ? (messages ?? scenario.messages) : messages
    return size?.quick !== undefined
  })
}

async function measure(found: Found, of: Case, { quick, signal, say }: BenchOptions): Promise<CaseResult> {
  const { name, scenario } = found
  const size = of.messages ?? scenario.messages
  const messages = quick ? size.quick! : size.full
  const rounds = quick ? ROUNDS.quick : (scenario.rounds ?? ROUNDS.full)
  const label = of.suffix === undefined ? name : `${name}-${of.suffix}`
  const startedAt = new Date().toISOString()
  const measured = await runCase({ ...found, of, messages, rounds, signal, say: (what) => say(`${label}: ${what}`) })
  return resultOf({ name, scenario, of }, { rounds: measured, messages, startedAt })
}
