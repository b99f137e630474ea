import { partnerSystems, type Center, type PartnerSystem } from '@malha/contracts'

/** Where something stands in a stream. `epoch` tells a stream from another of the same name that was created later. */
export type Position = { readonly epoch: number; readonly seq: number }

/** That something happened, when (RFC 3339), and which event says so. */
export type Fact = Position & { readonly at: string }

export type Registration = Fact & Center & { readonly traceId?: string }

/** A registration that was answered while the broker was away, and refused when it was back. */
export type Refusal = Fact & { readonly code: string; readonly queuedAt: string; readonly traceId?: string }

/** What a partner answered: its id of the provider or the registration. */
export type PartnerDone = Fact & { readonly ref: string }

/** The last failed attempt that is known. `nextAttemptAt` is null when there will be none. */
export type PartnerFailure = Fact & {
  readonly attempt: number
  readonly code: string
  readonly message: string
  readonly nextAttemptAt: string | null
  readonly outcome: 'retry' | 'dead-letter'
}

export type PartnerEntry = { readonly done?: PartnerDone; readonly failure?: PartnerFailure }

/**
 * What is known of one centre, as it is stored: the facts, each with its place in its stream. What a client sees (a state,
 * a count) is derived from it, so that no order of arrival can lead to another answer.
 */
export type CenterStatus = {
  /** Version of this format. */
  readonly v: 1
  readonly centerId: string
  /** By stream, the furthest event that went into this entry. */
  readonly applied: Readonly<Record<string, Position>>
  readonly registered?: Registration
  readonly refused?: Refusal
  readonly partners: Readonly<Partial<Record<PartnerSystem, PartnerEntry>>>
  readonly onboarded?: Fact
}

/** Whether every partner has done its part. */
export function isComplete(status: CenterStatus): boolean {
  return partnerSystems.every((partner) => status.partners[partner]?.done !== undefined)
}
