import type { HandlerFacts } from '../history/final-state.ts'

/** Of how many messages of `load.doubted` and `load.failed` one ends as a dead letter. */
export const FAIL_EVERY = 5

/** How often `load.failed` is tried. */
export const FAIL_ATTEMPTS = 3

const once = { order: 'none', effect: 'once' } as const
const none = { order: 'none', effect: 'none' } as const

const load: HandlerFacts[] = [
  { handler: 'load.note', type: 'load.noted', ...once },
  { handler: 'load.remind', type: 'load.reminded', ...once },
  { handler: 'load.file', type: 'load.filed', ...once },
  { handler: 'load.bill', type: 'load.ordered', ...none, output: 'load.billed' },
  { handler: 'load.settle', type: 'load.billed', ...once },
  { handler: 'load.walk', type: 'step.taken', order: 'key', effect: 'once' },
  { handler: 'load.charge', type: 'load.charged', order: 'none', effect: 'repeats' },
  { handler: 'load.doubt', type: 'load.doubted', ...once, rejectEvery: FAIL_EVERY },
  { handler: 'load.fail', type: 'load.failed', ...none, rejectEvery: FAIL_EVERY, attempts: FAIL_ATTEMPTS },
]

/** Shipped as they are, so nobody writes down when they begin. */
const unseen = { order: 'none', effect: 'unseen' } as const

const reference: HandlerFacts[] = [
  { handler: 'provider.senninha', type: 'center.registered', ...once, output: 'provider.created' },
  { handler: 'provider.maas', type: 'center.registered', ...once, output: 'provider.created' },
  { handler: 'city-registration.dmitri', type: 'center.registered', ...once, output: 'city.registered' },
  { handler: 'distribution-center.registered', type: 'center.registered', ...unseen, leadsTo: 'center.onboarded' },
  { handler: 'distribution-center.provider', type: 'provider.created', ...unseen },
  { handler: 'distribution-center.city', type: 'city.registered', ...unseen },
  { handler: 'distribution-center.onboarded', type: 'center.onboarded', ...unseen },
]

/** What is expected of the handlers of the load and of the reference mesh. */
export const handlerFacts: readonly HandlerFacts[] = [...load, ...reference]
