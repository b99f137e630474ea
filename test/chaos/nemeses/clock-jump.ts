import type { Nemesis } from './nemesis.ts'

const MINUTE_MS = 60_000
const JUMPS_MINUTES = [-180, -30, -2, -0.25, 0.25, 2, 30, 180]

/** The clock of a process is wrong until the end. */
export const clockJump: Nemesis = {
  name: 'clock-jump',
  on: ['single', 'cluster'],
  async begin(system, random) {
    const victim = random.pick(system.processes.filter((process) => 'shiftClock' in process))
    const minutes = random.pick(JUMPS_MINUTES)
    await victim.shiftClock?.(minutes * MINUTE_MS)
    const end = async (): Promise<void> => victim.shiftClock?.(0)
    return { target: `${victim.name}, ${minutes > 0 ? '+' : ''}${minutes} min`, end }
  },
}
