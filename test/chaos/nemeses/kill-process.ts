import type { Nemesis } from './nemesis.ts'
import { processesOf } from './targets.ts'

/** SIGKILL of a process that starts again by itself. */
export const killProcess: Nemesis = {
  name: 'kill-process',
  on: ['single', 'cluster'],
  async begin(system, random) {
    const victim = random.pick(processesOf(system, 'service', 'load', 'partner'))
    await victim.kill()
    return { target: victim.name, end: () => Promise.resolve() }
  },
}
