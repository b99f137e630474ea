import { deniedSubject, type Mesh } from '@malha/mesh'
import { checkAccount } from './account.ts'
import { checkAdvisories } from './advisories.ts'
import { checkClock } from './clock.ts'
import { checkConsumers } from './consumers.ts'
import { checkDelays } from './delays.ts'
import { checkExpiring } from './expiring.ts'
import { type Facts, readFacts } from './facts.ts'
import { type CheckState, type Finding, findingsOf, worst } from './finding.ts'
import { checkGivenUp } from './given-up.ts'
import { checkInstances } from './instances.ts'
import { checkPermissions } from './permissions.ts'
import { checkServers } from './servers.ts'
import { checkServices } from './services.ts'
import { checkStreams } from './streams.ts'

/** What all checks found, and the worst of it. */
export type Diagnosis = { readonly state: CheckState; readonly findings: readonly Finding[] }

export type ExamineOptions = {
  /** Between two looks at durables with work, ms: one that did not move stands still. @default 2000 */
  againAfterMs?: number
  /** `host:port` of servers that should be there; the one it is connected to names those that are. @default none */
  servers?: readonly string[]
}

/**
 * Looks a mesh over: servers, certificates, account, permissions, clock, streams, consumers, advisories, services, their instances, delays. Reads only. What this user may
 * not look at is a finding of its own; the other checks go on.
 */
export async function examine(
  mesh: Mesh,
  { againAfterMs = 2000, servers = [] }: ExamineOptions = {},
): Promise<Diagnosis> {
  const findings: Finding[] = []
  const check = async (name: string, run: () => Promise<Finding[]>): Promise<void> => {
    findings.push(...(await run().catch((error: unknown) => [unseen(name, error)])))
  }
  let facts: Facts | undefined
  await check('servers', () => checkServers(mesh, servers))
  await check('certificates', () => checkExpiring(mesh, servers))
  await check('account', () => checkAccount(mesh))
  await check('streams', async () => {
    facts = await readFacts(mesh, { againAfterMs })
    return checkStreams(facts)
  })
  await check('permissions', () => checkPermissions(mesh, facts?.streams ?? []))
  const known = facts
  if (known === undefined) return { state: worst(findings), findings }
  await check('clock', () => checkClock(mesh, known.streams[0]?.config.name))
  findings.push(...checkConsumers(known), ...checkAdvisories(known))
  if (known.servicesError === undefined) findings.push(...checkServices(known))
  else findings.push(unseen('services', known.servicesError))
  await check('given-up messages', () => checkGivenUp(mesh, known))
  await check('instances', () => checkInstances(mesh, known))
  await check('delays', () => checkDelays(mesh, known))
  return { state: worst(findings), findings }
}

/** A check that could not look. */
function unseen(check: string, error: unknown): Finding {
  const denied = deniedSubject(error)
  const { warn, fail } = findingsOf(check)
  if (denied !== undefined)
    return warn('this user', `may not use ${denied}, so ${check} were not looked at`, `allow publish on ${denied}`)
  const why = error instanceof Error ? error.message : String(error)
  return fail(
    'the server',
    `it did not say how its ${check} are: ${why}`,
    'see whether JetStream is up and has a leader, then run this again',
  )
}
