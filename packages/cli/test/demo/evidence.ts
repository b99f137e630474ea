import type { CenterView } from '../../src/demo/center-api.ts'
import type { Evidence } from '../../src/demo/checks.ts'
import type { Received } from '../../src/system/partners.ts'

const ids = ['ctr_1', 'ctr_2']

export const received = (effects = 1, keys: string[] = ['k']): Received => ({
  created: ids.length * effects,
  attempts: 5,
  byCenter: Object.fromEntries(ids.map((id) => [id, { effects, attempts: 2, keys }])),
})

export const center = (id: string, status: CenterView['status'] = 'onboarded'): CenterView => ({
  id,
  status,
  traceId: 'a'.repeat(32),
  name: 'X',
  city: { name: 'Recife', state: 'PE' },
  partners: {
    senninha: { state: 'done', attempts: 1 },
    maas: { state: 'done', attempts: 2 },
    dmitri: { state: 'done', attempts: 3 },
  },
})

/** A run in which everything went as it should. */
export const goodRun: Evidence = {
  registered: ids,
  centers: ids.map((id) => center(id)),
  received: { senninha: received(), maas: received(), dmitri: received() },
  audit: { events: 12, missing: 0, duplicates: 0, conflicts: 0 },
  deadLetters: 0,
  journey: { traceId: 'a'.repeat(32), centerId: 'ctr_1', city: 'Recife', failedAttempts: 2 },
}
