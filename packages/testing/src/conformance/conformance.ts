import type { Case } from './case.ts'
import { reject, exhausted, undecodable, mismatch } from './dead-letter-cases.ts'
import {
  sharedWork,
  everyService,
  wildcards,
  namespaces,
  startFrom,
  startFromMissing,
  slowHandler,
  drain,
  startAgain,
  plainClient,
} from './delivery-cases.ts'
import { typedPublish, invalidPayload, headerInjection, sameId, idConflict, once, streamFull } from './publish-cases.ts'
import { growingDelay, newerVersion, retryAfter, lane, laneReturn, breaker, attemptRecords } from './retry-cases.ts'
import {
  derivedIds,
  durableDeleted,
  durableDeletedWhileDown,
  serverKilled,
  stepDown,
  expired,
} from './survival-cases.ts'

/** Every promise of the library, in the order a reader would meet them. */
export const conformance: readonly Case[] = Object.freeze([
  typedPublish,
  invalidPayload,
  headerInjection,
  sameId,
  idConflict,
  once,
  streamFull,
  sharedWork,
  everyService,
  wildcards,
  namespaces,
  startFrom,
  startFromMissing,
  slowHandler,
  drain,
  startAgain,
  plainClient,
  growingDelay,
  newerVersion,
  retryAfter,
  lane,
  laneReturn,
  breaker,
  attemptRecords,
  reject,
  exhausted,
  undecodable,
  mismatch,
  derivedIds,
  durableDeleted,
  durableDeletedWhileDown,
  serverKilled,
  stepDown,
  expired,
])
