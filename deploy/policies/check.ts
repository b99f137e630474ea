import type { Cluster } from './cluster.ts'
import { type Exception, exceptions } from './exceptions.ts'
import { podRules } from './pods.ts'
import { referenceRules } from './references.ts'
import type { Finding, Rule } from './rule.ts'
import { serverRules } from './servers.ts'
import { togetherRules } from './together.ts'

/** All rules: of pods, of servers, of objects together, and of what they refer to. */
export const rules: readonly Rule[] = [...podRules, ...serverRules, ...togetherRules, ...referenceRules]

export type Violation = Finding & { readonly rule: string }

/** What is wrong in a cluster, and which exceptions it needed. Pure. */
export function check(cluster: Cluster): { violations: Violation[]; used: Set<Exception> } {
  const violations: Violation[] = []
  const used = new Set<Exception>()
  for (const { name, find } of rules)
    for (const finding of find(cluster)) {
      const exception = exceptions.find(
        ({ rule, objects, only = cluster.overlay }) =>
          rule === name && only === cluster.overlay && objects.test(finding.object),
      )
      if (exception) used.add(exception)
      else violations.push({ rule: name, ...finding })
    }
  return { violations, used }
}

/** A line a violation. */
export const lineOf = ({ rule, object, fix }: Violation): string => `${object}: ${fix} (${rule})`
