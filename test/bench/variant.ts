import { createInterface } from 'node:readline'
import type { RecordableHistogram } from 'node:perf_hooks'
import { countSocketWrites, measured } from './measure.ts'
import { type Answer, ANSWER, type Ask, type PartRound, type Settings, type Setup } from './protocol.ts'

/** What a round came to, as only the variant knows it. */
export type Outcome = {
  /** 0 where another process of the variant counts them. */
  messages: number
  /** In ns; empty counts as not measured. */
  latency?: RecordableHistogram
  /** Figures of the scenario's own. */
  figures?: Record<string, number>
}

/** One process of a variant. Rounds are numbered from 1; 0 warms up and does not count. */
export type Variant = {
  /** Before the timed part: a fresh consumer, an empty stream. */
  prepare?(round: number): Promise<void>
  /** The timed part. It begins with the call, or anew with `begin()`: what only gets ready before the first message is left out. `given` is for this round. */
  run(round: number, begin: () => void, given: Settings): Promise<Outcome>
  /** After the timed part. */
  clean?(round: number): Promise<void>
  close(): Promise<void>
}

/** Makes this process a variant: it stays through all rounds of a case and does as the runner says. */
export async function serveVariant<S extends Settings>(open: (setup: Setup<S>) => Promise<Variant>): Promise<void> {
  countSocketWrites()
  let variant: Variant | undefined
  for await (const line of createInterface({ input: process.stdin })) {
    const ask = JSON.parse(line) as Ask
    try {
      if (ask.do === 'setup') variant = await open(ask.setup as Setup<S>)
      say({ done: variant === undefined ? null : await obey(variant, ask) })
    } catch (error) {
      say({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
    if (ask.do === 'close') break
  }
  process.exit()
}

async function obey(variant: Variant, ask: Ask): Promise<PartRound | null> {
  if (ask.do === 'run') return measured((begin) => variant.run(ask.round, begin, ask.given ?? {}))
  if (ask.do === 'prepare') await variant.prepare?.(ask.round)
  if (ask.do === 'clean') await variant.clean?.(ask.round)
  if (ask.do === 'close') await variant.close()
  return null
}

function say(answer: Answer): void {
  process.stdout.write(`${ANSWER}${JSON.stringify(answer)}\n`)
}
