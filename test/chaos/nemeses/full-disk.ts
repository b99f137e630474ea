import type { Nemesis } from './nemesis.ts'
import { cut, linksBetween, processesOf } from './targets.ts'

/** The disk of a broker is full until the end. */
export const fullDisk: Nemesis = {
  name: 'full-disk',
  on: ['single', 'cluster'],
  async begin(system, random) {
    const { name } = random.pick(processesOf(system, 'broker'))
    return { target: name, end: await system.fillDisk(name) }
  },
}

/** Only this one of the reference mesh keeps a spool. */
const SPOOLING = 'distribution-center'

/** The disk of a spool is full while the service needs it: it is cut off from all brokers. */
export const fullSpool: Nemesis = {
  name: 'full-spool',
  on: ['single', 'cluster'],
  async begin(system) {
    const free = await system.fillDisk(SPOOLING)
    const brokers = processesOf(system, 'broker')
    const heal = await cut(brokers.flatMap(({ name }) => linksBetween(system, SPOOLING, name)))
    const end = async (): Promise<void> => void (await Promise.all([free(), heal()]))
    return { target: SPOOLING, end }
  },
}
