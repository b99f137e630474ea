import { isDeepStrictEqual } from 'node:util'
import type { Center } from '@malha/contracts'
import type { Centers } from '../src/centers.ts'
import { Problem } from '../src/http/problem.ts'
import { registeredChange } from '../src/status/changes.ts'
import { applyToStatus } from '../src/status/apply.ts'
import { viewOf } from '../src/status/view.ts'

/** Centres without a broker, for tests of the HTTP side alone. */
export function centersInMemory(): Centers & { readonly known: Map<string, Center> } {
  const known = new Map<string, Center>()
  return {
    known,
    register: async (centerId, center) => {
      const before = known.get(centerId)
      if (before && !isDeepStrictEqual(before, center)) throw new Problem('idempotency-conflict', 'another body')
      known.set(centerId, center)
      return { traceId: null, queued: false }
    },
    find: async (centerId) => {
      const center = known.get(centerId)
      if (!center) return undefined
      const occurrence = { stream: 'CENTERS', epoch: 1, seq: 1, at: '2026-11-20T12:00:00.000Z' }
      return viewOf(applyToStatus(undefined, registeredChange({ centerId, ...center }, occurrence)))
    },
    page: async () => ({ centers: [], next: null }),
  }
}
