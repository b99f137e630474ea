import { partnerSystems, type PartnerSystem } from '@malha/contracts'
import type { CenterView, PartnerView } from '../http/schemas.ts'
import { isComplete, type CenterStatus, type PartnerEntry } from './status.ts'

/** What a client sees of a centre; undefined while its registration is unknown. */
export function viewOf(status: CenterStatus): CenterView | undefined {
  const { registered, onboarded } = status
  if (registered === undefined) return undefined
  return {
    id: status.centerId,
    status: stateOf(status),
    traceId: registered.traceId ?? null,
    name: registered.name,
    city: registered.city,
    ...(registered.address !== undefined && { address: registered.address }),
    ...(registered.capacity !== undefined && { capacity: registered.capacity }),
    partners: {
      senninha: partnerView('senninha', status.partners.senninha),
      maas: partnerView('maas', status.partners.maas),
      dmitri: partnerView('dmitri', status.partners.dmitri),
    },
    registeredAt: registered.at,
    ...(onboarded && { onboardedAt: onboarded.at }),
  }
}

function stateOf(status: CenterStatus): CenterView['status'] {
  if (status.onboarded) return 'onboarded'
  // All three done is "onboarding" until center.onboarded is in the stream: nobody is told before it holds.
  if (isComplete(status)) return 'onboarding'
  const states = partnerSystems.map((partner) => partnerState(status.partners[partner]))
  if (states.includes('failed')) return 'failed'
  return states.every((state) => state === 'pending') ? 'registered' : 'onboarding'
}

/** Done outlasts every failure, even one that is reported afterwards. */
function partnerState(entry: PartnerEntry | undefined): PartnerView['state'] {
  if (entry?.done) return 'done'
  if (entry?.failure) return entry.failure.outcome === 'dead-letter' ? 'failed' : 'waiting'
  return 'pending'
}

function partnerView(partner: PartnerSystem, entry: PartnerEntry | undefined): PartnerView {
  const { done, failure } = entry ?? {}
  const state = partnerState(entry)
  return {
    state,
    // Only failed attempts are recorded; the one that succeeded comes on top.
    attempts: (failure?.attempt ?? 0) + (done ? 1 : 0),
    ...(failure && {
      lastFailure: { at: failure.at, attempt: failure.attempt, code: failure.code, message: failure.message },
    }),
    ...(state === 'waiting' && failure?.nextAttemptAt && { nextAttemptAt: failure.nextAttemptAt }),
    ...(done && (partner === 'dmitri' ? { registrationId: done.ref } : { providerId: done.ref })),
  }
}
