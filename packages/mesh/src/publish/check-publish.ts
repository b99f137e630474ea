import { faultsError, MeshError } from '../errors.ts'
import { isWithin, shown } from '../given.ts'
import type { AnyContract } from '../message/contract.ts'
import { PRIORITIES, type Priority } from '../message/priority.ts'

/**
 * Whether an event may be published so. `once` compares with what the subject holds, so all that is to be unique must have
 * one subject.
 * @throws MeshError MESH_INVALID_CONTRACT
 */
export function checkPublish(
  { type, key, priorities }: AnyContract,
  { once = false, priority = 'normal' }: { once?: boolean | undefined; priority?: Priority | undefined },
): void {
  if (once && !key) throw cannot(type, 'has no key, so it cannot be published once; give its contract a key')
  if (once && priorities)
    throw cannot(
      type,
      'has priorities, each with subjects of its own, so it cannot be published once; give it an id of its own',
    )
  if (priority === 'normal') return
  if (!priorities) throw cannot(type, 'has no priorities; declare its command with priorities: true')
  if (!PRIORITIES.includes(priority))
    throw cannot(type, `has no priority ${shown(priority)}; it has ${PRIORITIES.join(', ')}`)
}

const cannot = (type: string, why: string): MeshError => new MeshError('MESH_INVALID_CONTRACT', `${type} ${why}`)

const PUBLISH_MS = 30_000
const MOST_PUBLISH_MS = 86_400_000

/** How long to try, ms: what was asked for, or 30 s. @throws MeshError MESH_INVALID_OPTIONS */
export function publishMs(what: string, asked: number = PUBLISH_MS): number {
  if (isWithin(asked, 1, MOST_PUBLISH_MS)) return asked
  throw faultsError('MESH_INVALID_OPTIONS', `publishing ${what}`, [`timeoutMs is ${shown(asked)}; 1 ms to a day`])
}
