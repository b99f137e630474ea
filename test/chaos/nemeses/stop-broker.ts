import { startAgain } from '../system/start-again.ts'
import type { Nemesis } from './nemesis.ts'
import { processesOf } from './targets.ts'

/** SIGTERM of one broker, which is away until the end. */
export const stopBroker: Nemesis = {
  name: 'stop-broker',
  on: ['single', 'cluster'],
  async begin(system, random) {
    const victim = random.pick(processesOf(system, 'broker'))
    await victim.stop()
    return { target: victim.name, end: () => startAgain(victim) }
  },
}

/**
 * The graceful way to take a broker away (lame duck mode, SIGUSR2): it gives its leaderships to others, asks its clients
 * to go elsewhere, closes the connections of the rest one by one, and ends.
 */
export const retireBroker: Nemesis = {
  name: 'retire-broker',
  on: ['single', 'cluster'],
  async begin(system, random) {
    const victim = random.pick(processesOf(system, 'broker'))
    if (victim.pid === undefined) throw new Error(`${victim.name} is down`)
    process.kill(victim.pid, 'SIGUSR2')
    const end = async (): Promise<void> => {
      await victim.stop()
      await startAgain(victim)
    }
    return { target: victim.name, end }
  },
}
