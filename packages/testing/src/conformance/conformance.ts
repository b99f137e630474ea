import { atomicCases } from './atomic-cases.ts'
import type { Case } from './case.ts'
import { deadLetterCases } from './dead-letter-cases.ts'
import { delayCases } from './delay-cases.ts'
import { deliveryCases } from './delivery-cases.ts'
import { effectsCases } from './effects-cases.ts'
import { expectationCases } from './expectation-cases.ts'
import { inboxCases } from './inbox-cases.ts'
import { orderedCases } from './ordered-cases.ts'
import { publishCases } from './publish-cases.ts'
import { requestCases } from './request-cases.ts'
import { requestStreamCases } from './request-stream-cases.ts'
import { retryCases } from './retry-cases.ts'
import { spoolCases } from './spool-cases.ts'
import { survivalCases } from './survival-cases.ts'
import { versionCases } from './version-cases.ts'
import { workCases } from './work-cases.ts'

/** Every promise of the library, in the order a reader would meet them. */
export const conformance: readonly Case[] = Object.freeze([
  ...publishCases,
  ...atomicCases,
  ...expectationCases,
  ...deliveryCases,
  ...effectsCases,
  ...inboxCases,
  ...workCases,
  ...delayCases,
  ...retryCases,
  ...versionCases,
  ...orderedCases,
  ...deadLetterCases,
  ...requestCases,
  ...requestStreamCases,
  ...spoolCases,
  ...survivalCases,
])
