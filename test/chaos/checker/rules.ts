import { archiveHasTheStreams } from './rules/archive-has-the-streams.ts'
import { deadLetters } from './rules/dead-letters.ts'
import { delayedInTime } from './rules/delayed-in-time.ts'
import { handledOnce } from './rules/handled-once.ts'
import { orderOfAKey } from './rules/order-of-a-key.ts'
import { publishedBeforeHandled } from './rules/published-before-handled.ts'
import { storedOnce } from './rules/stored-once.ts'
import type { Rule } from './violation.ts'

/** All that must hold of a run. */
export const rules: readonly Rule[] = [
  handledOnce,
  storedOnce,
  orderOfAKey,
  publishedBeforeHandled,
  delayedInTime,
  archiveHasTheStreams,
  deadLetters,
]
