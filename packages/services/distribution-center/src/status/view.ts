import { partnerSystems, type PartnerSystem } from '@malha/contracts'
import type { CenterView, PartnerView } from '../http/schemas.ts'
import { isComplete, type CenterStatus, type PartnerEntry, type Refusal } from './status.ts'

/** What a client sees of a centre; undefined while its registration is unknown. */
export function viewOf(status: CenterStatus): CenterView | undefined {
  const { registered, refused, onboarded } = status
  const known = registered ?? refused
  if (known === undefined) return undefined
  return {
    id: status.centerId,
    status: stateOf(status),
    traceId: known.traceId ?? null,
    ...(registered && { name: registered.name, city: registered.city }),
    ...(registered?.address !== undefined && { address: registered.address }),
    ...(registered?.capacity !== undefined && { capacity: registered.capacity }),
    ...(refused && { failure: failureOf(refused) }),
    partners: {
      senninha: partnerView('senninha', status.partners.senninha),
      maas: partnerView('maas', status.partners.maas),
      dmitri: partnerView('dmitri', status.partners.dmitri),
    },
    registeredAt: registered?.at ?? refused!.queuedAt,
    ...(onboarded && { onboardedAt: onboarded.at }),
  }
}

function failureOf({ at, code }: Refusal): NonNullable<CenterView['failure']> {
  if (code === 'MESH_ID_CONFLICT' || code === 'MESH_ONCE_CONFLICT')
    return {
      at,
      code: 'idempotency-conflict',
      message:
        'While the broker was away two registrations were accepted under one idempotency key. The first that reached the broker is shown here, the other one was refused: register that centre again under a key of its own.',
    }
  return {
    at,
    code: 'not-stored',
    message: `The registration was accepted while the broker was away, and refused when it was back (${code}). A dead letter holds it.`,
  }
}

function stateOf(status: CenterStatus): CenterView['status'] {
  // Of two that were accepted under one id, whoever asks for the one that was refused must not be told that all is well.
  if (status.refused) return 'failed'
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
