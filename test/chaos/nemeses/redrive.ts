import type { Nemesis } from './nemesis.ts'

/** A second; each is handled again, and refused again. */
const RATE = '300'

/** An operator sends all dead letters of the load again, whatever else happens, and the redrive is killed at the end. */
export const redrive: Nemesis = {
  name: 'redrive',
  on: ['single', 'cluster'],
  begin({ malha }) {
    const limits = ['--rate', RATE, '--stop-after', '1000000', '--most', '1000']
    const command = malha.begin('dlq', 'redrive', '--service', 'load', ...limits, '--json')
    return Promise.resolve({ target: 'the dead letters of load', end: () => command.killBegun() })
  },
}
