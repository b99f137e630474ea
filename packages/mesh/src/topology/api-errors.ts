import { JetStreamApiError } from '@nats-io/jetstream'
import { NoRespondersError, PermissionViolationError, TimeoutError } from '@nats-io/transport-node'

/** JetStream's error codes the mesh meets while it makes streams and consumers (server/errors.json of nats-server). */
export const apiCodes = {
  noPlace: 10005,
  /** The cluster or this stream has no leader just now. */
  unavailable: 10008,
  consumerNameTaken: 10013,
  consumerMissing: 10014,
  streamNameTaken: 10058,
  streamMissing: 10059,
  subjectsOverlap: 10065,
  wrongLastSequence: 10071,
  consumerExists: 10148,
  /** R3: another write of this subject is not decided yet. */
  conflictInFlight: 10164,
} as const

/** What each code means for whoever starts the service, and what to do. */
const SENTENCES: Readonly<Record<number, string>> = {
  10002: 'the account’s JetStream limit is reached; raise max_file of the account, or lower maxBytes',
  10005: 'the cluster has no suitable servers for that many replicas; lower replicas, or add servers',
  10023: 'the server lacks the resources; free some, or lower maxBytes',
  10026: 'its limit of consumers is reached; remove unused ones, or raise max_consumers',
  10027: 'the account’s limit of streams is reached; raise max_streams of the account',
  10047:
    'the server has too little storage left to reserve maxBytes; raise max_file_store of the server, or lower maxBytes',
  10074: 'replicas need a cluster, and this is a single server; leave replicas unset, or 1',
  10100: 'another consumer of this work queue already takes these subjects',
  10113:
    'the account demands a size limit for every stream (max_bytes_required); the mesh cannot limit its lanes, so lift that demand for this account',
  10122:
    'the account’s largest size for a stream is below maxBytes; raise max_stream_bytes of the account, or lower maxBytes',
}

/** Whether somebody else wrote it before, or is writing it right now. */
export const isOvertaken = (error: unknown): boolean =>
  apiCode(error) === apiCodes.wrongLastSequence || isUndecided(error)

/** The same write may still succeed: three servers have not agreed on another one yet. */
export const isUndecided = (error: unknown): boolean => apiCode(error) === apiCodes.conflictInFlight

/** A stream has no place for a replica because the leader has not heard of a server yet, or it is away (selectPeerGroup, nats-server 2.15). */
export const isPeerAway = (error: unknown): boolean =>
  error instanceof JetStreamApiError &&
  error.code === apiCodes.noPlace &&
  /peer offline|miscellaneous issue/.test(error.message)

/** The code of a JetStream API error, 0 for any other. */
export function apiCode(error: unknown): number {
  return error instanceof JetStreamApiError ? error.code : 0
}

/** What a JetStream API call failed of, as a sentence part that ends in what to do. */
export function apiSentence(error: unknown): string {
  const denied = deniedSubject(error)
  if (denied !== undefined)
    return `this user may not use ${denied}; grant it, or have a user who may provision this service first`
  if (error instanceof JetStreamApiError) {
    const known = SENTENCES[error.code]
    return known === undefined
      ? `the server refused: ${error.message} (${error.code})`
      : `${known} (${error.message}, ${error.code})`
  }
  if (error instanceof TimeoutError) return 'the server did not answer; is JetStream up, and has its cluster a leader?'
  return error instanceof Error ? error.message : String(error)
}

/** The subject a user lacks permission for, wherever the client wrapped that. */
export function deniedSubject(error: unknown): string | undefined {
  return causeOf(error, PermissionViolationError)?.subject
}

/** The subject on which nobody listens, wherever the client wrapped that. */
export function unheardSubject(error: unknown): string | undefined {
  return causeOf(error, NoRespondersError)?.subject
}

function causeOf<T extends Error>(error: unknown, kind: new (...given: never[]) => T): T | undefined {
  for (let one = error, depth = 0; one instanceof Error && depth < 8; one = one.cause, depth++)
    if (one instanceof kind) return one
  return undefined
}
