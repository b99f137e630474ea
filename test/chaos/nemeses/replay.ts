import type { Nemesis } from './nemesis.ts'

/** A second. */
const RATE = '500'
const SINCE_MS = 20_000

/** None of them does something twice for an id that it knows: by its outside world, its inbox, or the marker of its outputs. */
const HANDLERS = ['note', 'settle', 'bill', 'charge', 'doubt', 'fail'] as const

/** An operator has a handler do again what came of late, under the same ids, and the replay is killed at the end. */
export const replay: Nemesis = {
  name: 'replay',
  on: ['single', 'cluster'],
  begin({ malha }, random) {
    const handler = random.pick(HANDLERS)
    const since = new Date(Date.now() - SINCE_MS).toISOString()
    const slice = ['--service', 'load', '--handler', handler, '--since', since]
    const command = malha.begin('replay', ...slice, '--rate', RATE, '--stop-after', '1000000', '--json')
    return Promise.resolve({ target: `load/${handler}, the last 20 s`, end: () => command.killBegun() })
  },
}
