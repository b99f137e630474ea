import {
  CenterId,
  partnerSystems,
  type CenterRegistered,
  type CityRegistered,
  type PartnerSystem,
  type ProviderCreated,
} from '@malha/contracts'
import type { AttemptFailed, PublishFailed } from '@malha/mesh'
import type { StatusChange } from './apply.ts'
import type { Fact } from './status.ts'

/** Where and when an event happened. */
export type Occurrence = {
  /** The stream's name without the namespace. */
  readonly stream: string
  readonly epoch: number
  readonly seq: number
  /** RFC 3339. */
  readonly at: string
  /** W3C trace context of the event. */
  readonly traceparent?: string | undefined
}

export type RegisteredChange = Extract<StatusChange, { kind: 'registered' }>

export function registeredChange(data: CenterRegistered, occurrence: Occurrence): RegisteredChange {
  const { centerId, ...center } = data
  const traceId = traceIdOf(occurrence.traceparent)
  const registration = { ...factOf(occurrence), ...center, ...(traceId !== undefined && { traceId }) }
  return { ...baseOf(centerId, occurrence), kind: 'registered', registration }
}

export function providerChange(data: ProviderCreated, occurrence: Occurrence): StatusChange {
  const done = { ...factOf(occurrence), ref: data.providerId }
  return { ...baseOf(data.centerId, occurrence), kind: 'partner-done', partner: data.system, done }
}

export function cityChange(data: CityRegistered, occurrence: Occurrence): StatusChange {
  const done = { ...factOf(occurrence), ref: data.registrationId }
  return { ...baseOf(data.centerId, occurrence), kind: 'partner-done', partner: 'dmitri', done }
}

export function onboardedChange(data: { readonly centerId: string }, occurrence: Occurrence): StatusChange {
  return { ...baseOf(data.centerId, occurrence), kind: 'onboarded', onboarded: factOf(occurrence) }
}

/** Undefined for an attempt at anything but a partner's part of a registration: every service's attempts are in one stream. */
export function attemptChange(record: AttemptFailed, occurrence: Occurrence): StatusChange | undefined {
  const partner = partnerOf(record)
  const { data: centerId } = CenterId.safeParse(record.key)
  if (partner === undefined || centerId === undefined) return undefined
  const { attempt, code, message, at, nextAttemptAt, outcome } = record
  const failure = { ...positionOf(occurrence), at, attempt, code, message, nextAttemptAt, outcome }
  return { ...baseOf(centerId, occurrence), kind: 'partner-failed', partner, failure }
}

/** Undefined for anything but a registration: every service's records are in one stream. */
export function refusedChange(record: PublishFailed, occurrence: Occurrence): StatusChange | undefined {
  const { data: centerId } = CenterId.safeParse(record.key)
  if (record.type !== 'center.registered' || centerId === undefined) return undefined
  const traceId = traceIdOf(occurrence.traceparent)
  const { code, queuedAt, at } = record
  const refusal = { ...positionOf(occurrence), at, code, queuedAt, ...(traceId !== undefined && { traceId }) }
  return { ...baseOf(centerId, occurrence), kind: 'refused', refusal }
}

/** The trace id of a `traceparent`, when it is one. */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  const traceId = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(traceparent ?? '')?.[1]
  return traceId === '0'.repeat(32) ? undefined : traceId
}

/** The handler that calls a partner carries the partner's name. */
function partnerOf(record: AttemptFailed): PartnerSystem | undefined {
  if (record.type !== 'center.registered') return undefined
  return partnerSystems.find((partner) => partner === record.handler)
}

function baseOf(centerId: string, occurrence: Occurrence) {
  return { centerId, stream: occurrence.stream, position: positionOf(occurrence) }
}

function positionOf({ epoch, seq }: Occurrence) {
  return { epoch, seq }
}

function factOf(occurrence: Occurrence): Fact {
  return { ...positionOf(occurrence), at: occurrence.at }
}
