import type { Nemesis } from './nemesis.ts'

/** SIGSTOP, and SIGCONT at the end: its connections stay, and it does nothing. */
export const pauseProcess: Nemesis = {
  name: 'pause-process',
  on: ['single', 'cluster'],
  begin(system, random) {
    const victim = random.pick(system.processes)
    victim.pause()
    const end = (): Promise<void> => {
      victim.resume()
      return Promise.resolve()
    }
    return Promise.resolve({ target: victim.name, end })
  },
}
