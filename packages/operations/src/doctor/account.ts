import type { Mesh } from '@malha/mesh'
import { type Finding, findingsOf } from './finding.ts'

const { ok, warn, fail } = findingsOf('account')
const ASK_MS = 5000
const NEARLY = 0.7
const ALMOST = 0.9

/** What a JetStream account uses and may use; -1 or absent: no limit. */
export type AccountUsage = {
  storage?: number
  memory?: number
  streams?: number
  consumers?: number
  reserved_storage?: number
  limits?: { max_storage?: number; max_memory?: number; max_streams?: number; max_consumers?: number }
  error?: { description?: string }
}

/** What the JetStream account uses, and its limits. Needs `$JS.API.INFO`. */
export async function readAccount({ nats }: Mesh): Promise<AccountUsage> {
  return (await nats.request('$JS.API.INFO', '', { timeout: ASK_MS })).json<AccountUsage>()
}

/** What is left of the account's limits. */
export async function checkAccount(mesh: Mesh): Promise<Finding[]> {
  return accountFindings(await readAccount(mesh))
}

/** Pure. */
export function accountFindings(usage: AccountUsage): Finding[] {
  if (usage.error)
    return [fail('JetStream', usage.error.description ?? 'it is off', 'switch JetStream on for this account')]
  const { limits = {} } = usage
  const rows: [what: string, used: number, most: number | undefined][] = [
    ['storage on file', Math.max(usage.storage ?? 0, usage.reserved_storage ?? 0), limits.max_storage],
    ['memory', usage.memory ?? 0, limits.max_memory],
    ['streams', usage.streams ?? 0, limits.max_streams],
    ['consumers', usage.consumers ?? 0, limits.max_consumers],
  ]
  const found = rows.flatMap(([what, used, most]) => {
    // -1: no limit; 0 of memory: none is given, and the mesh needs none.
    if (most === undefined || most <= 0 || used / most < NEARLY) return []
    const said = `${what}: ${used} of ${most} are taken, reserved or used`
    const fix = 'raise the limit of the account, or lower maxBytes of streams'
    return [used / most >= ALMOST ? fail('JetStream', said, fix) : warn('JetStream', said, fix)]
  })
  if (found.length > 0) return found
  const storage =
    (limits.max_storage ?? -1) > 0 ? `${usage.storage ?? 0} of ${limits.max_storage} bytes` : 'no limit of storage'
  return [ok('JetStream', `${usage.streams ?? 0} streams, ${usage.consumers ?? 0} consumers, ${storage}`)]
}
