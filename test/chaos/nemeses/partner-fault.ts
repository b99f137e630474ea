import type { Random } from '../random.ts'
import type { Nemesis } from './nemesis.ts'
import { processesOf } from './targets.ts'

type Fault = Readonly<Record<string, string | number>>

/** All that a simulator can do but `forgetful`, which breaks by itself what a run expects: one effect a key. */
const faults: readonly ((random: Random) => Fault)[] = [
  () => ({ mode: 'down' }),
  (random) => ({ mode: 'slow', latencyMs: random.int(500, 15_000) }),
  () => ({ mode: 'error' }),
  (random) => ({ mode: 'error', retryAfterS: random.int(1, 3) }),
  (random) => ({ mode: 'flaky', rate: random.int(1, 9) / 10 }),
  (random) => ({ mode: 'lost-reply', rate: random.int(3, 10) / 10 }),
]

/** A partner is away, slow, fails, or does what it is asked and says nothing. */
export const partnerFault: Nemesis = {
  name: 'partner-fault',
  on: ['single', 'cluster'],
  async begin(system, random) {
    const partner = random.pick(processesOf(system, 'partner')).name.replace('partner-', '')
    const fault = random.pick(faults)(random)
    await system.setPartnerFault(partner, fault)
    const what = Object.entries(fault).map(([key, value]) => `${key} ${value}`)
    return { target: `${partner}, ${what.join(', ')}`, end: () => system.setPartnerFault(partner, { mode: 'up' }) }
  },
}
