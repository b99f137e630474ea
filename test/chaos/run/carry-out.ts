import { setTimeout as sleep } from 'node:timers/promises'
import type { Recorder } from '../history/recorder.ts'
import type { Harm, Nemesis } from '../nemeses/nemesis.ts'
import type { Plan, Step } from '../plan.ts'
import { seededRandom } from '../seeded-random.ts'
import type { ChaosSystem } from '../system.ts'

/** A step of a plan and what came of it. To harm, and to undo it, may take its time. */
export type Carried = Step & {
  target: string
  /** When it was done, and when it was undone, ms since the load began. */
  beganMs: number
  endedMs: number
}

export type Faults = {
  /** At work now: `kill provider`. */
  readonly active: ReadonlySet<string>
  readonly carried: readonly Carried[]
  /** What could not be done, or not be undone, a sentence each. */
  readonly troubles: readonly string[]
  /** Settles when every step is over. Steps that have begun end at once when the signal aborts. */
  readonly over: Promise<void>
}

type Around = { system: ChaosSystem; nemeses: readonly Nemesis[]; recorder: Recorder; signal: AbortSignal }

/** Does what a plan says, when it says so. */
export function carryOut(plan: Plan, { system, nemeses, recorder, signal }: Around): Faults {
  const active = new Set<string>()
  const carried: Carried[] = []
  const troubles: string[] = []
  const startedAt = performance.now()
  const elapsedMs = (): number => Math.round(performance.now() - startedAt)

  async function step(planned: Step): Promise<void> {
    const { nemesis: name, seed } = planned
    const nemesis = nemeses.find((one) => one.name === name)!
    await sleep(planned.fromMs, undefined, { signal })
    let harm: Harm
    try {
      harm = await nemesis.begin(system, seededRandom(seed))
    } catch (error) {
      troubles.push(`${name} could not begin: ${String(error)}`)
      return
    }
    const { target, lost, edited } = harm
    const beganMs = elapsedMs()
    const shown = `${name} (${target})`
    active.add(shown)
    recorder.record({ op: 'nemesis', phase: 'begin', name, target, ...(lost && { lost }), ...(edited && { edited }) })
    await sleep(planned.forMs, undefined, { signal }).catch(() => undefined)
    await harm.end().catch((error: unknown) => troubles.push(`${shown} could not be ended: ${String(error)}`))
    recorder.record({ op: 'nemesis', phase: 'end', name, target })
    active.delete(shown)
    carried.push({ ...planned, target, beganMs, endedMs: elapsedMs() })
  }

  const over = Promise.allSettled(plan.steps.map(step)).then(() => undefined)
  return { active, carried, troubles, over }
}
