import type { RuleGroup } from './rule.ts'
import { archiveRules } from './rules/archive.ts'
import { handlerRules } from './rules/handlers.ts'
import { jetstreamRules } from './rules/jetstream.ts'
import { messageRules } from './rules/messages.ts'
import { objectiveRules } from './rules/objectives.ts'
import { patternRules } from './rules/patterns.ts'
import { processRules } from './rules/processes.ts'
import { times } from './time.ts'

export type RulesOptions = {
  /** Of all lengths of time; 1/60 makes minutes of hours, for tests. @default 1 */
  scale?: number
}

/**
 * Recording rules and alerts of a mesh, as data.
 * @throws RangeError for a scale of 0 or below
 */
export function rules({ scale = 1 }: RulesOptions = {}): readonly RuleGroup[] {
  const t = times(scale)
  return [
    handlerRules(t),
    messageRules(t),
    patternRules(t),
    archiveRules(t),
    processRules(t),
    jetstreamRules(t),
    objectiveRules(t),
  ]
}
