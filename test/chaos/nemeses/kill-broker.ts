import { startAgain } from '../system/start-again.ts'
import type { Nemesis } from './nemesis.ts'
import { processesOf } from './targets.ts'

/** SIGKILL of one broker, which is away until the end. */
export const killBroker: Nemesis = {
  name: 'kill-broker',
  on: ['single', 'cluster'],
  async begin(system, random) {
    const victim = random.pick(processesOf(system, 'broker'))
    await victim.kill()
    return { target: victim.name, end: () => startAgain(victim) }
  },
}

/** SIGKILL of all brokers, which are away until the end. */
export const killAllBrokers: Nemesis = {
  name: 'kill-all-brokers',
  on: ['cluster'],
  async begin(system) {
    const victims = processesOf(system, 'broker')
    await Promise.all(victims.map((victim) => victim.kill()))
    const end = async (): Promise<void> => void (await Promise.all(victims.map(startAgain)))
    return { target: victims.map(({ name }) => name).join(', '), end }
  },
}
