import { MeshError } from '../errors.ts'
import { shown } from '../given.ts'
import type { AnyContract } from './contract.ts'
import { type Priority, priorityToken } from './priority.ts'

/**
 * A key as one token of a subject: itself where it is only letters, digits, `_` and `-`, else `=` and its base64url. The
 * `=` keeps an encoded key from meeting a plain one.
 * @throws MeshError MESH_INVALID_KEY when empty, over 128 bytes of UTF-8, or not well-formed text
 */
export function keyToken(key: string): string {
  const fault = keyFault(key)
  if (fault) throw new MeshError('MESH_INVALID_KEY', `key ${shown(key)} ${fault}`)
  return textToken(key)
}

/** Any text as one token of a subject or of a bucket's key, the way keys are: for ids, which are longer. */
export const textToken = (text: string): string =>
  /^[A-Za-z0-9_-]+$/.test(text) ? text : `=${Buffer.from(text, 'utf8').toString('base64url')}`

/** FNV-1a 32 of the token modulo `count`: what nats-server's own `partition()` does. */
export function partitionOf(token: string, count: number): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < token.length; index++) hash = Math.imul(hash ^ token.charCodeAt(index), 0x01000193)
  return (hash >>> 0) % count
}

/**
 * The subject of an event, without the namespace: `<type>` or `<type>.<partition>.<key>`; of an urgent or less urgent
 * command `<type>._high` and so on.
 */
export function subjectOf(contract: AnyContract, key: string | undefined, priority: Priority = 'normal'): string {
  const type = contract.type + priorityToken(priority)
  if (key === undefined) return type
  const token = keyToken(key)
  return `${type}.${partitionOf(token, contract.stream.partitions)}.${token}`
}

/** Whether an event of `type` may stand on a subject (without the namespace). A filter cannot tell one from a longer type. */
export function isSubjectOf(type: string, subject: string): boolean {
  if (!subject.startsWith(type)) return false
  return /^(\._(high|low))?(\.\d+\.[^.]+)?$/.test(subject.slice(type.length))
}

function keyFault(key: string): string | undefined {
  if (typeof key !== 'string') return 'is no text; return a string from the contract’s key'
  if (key.length === 0) return 'is empty; every event of a keyed contract needs one'
  if (!key.isWellFormed()) return 'is not well-formed Unicode'
  if (Buffer.byteLength(key) > 128)
    return `has ${Buffer.byteLength(key)} bytes; 128 at most, so hash it or choose a shorter one`
  return undefined
}
