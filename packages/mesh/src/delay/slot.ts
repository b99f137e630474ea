import { keyToken } from '../message/key.ts'
import type { Names } from '../topology/names.ts'

/**
 * By what a waiting event is known: the key its publisher chose, its own id, or the name of a recurring one. No type has
 * a token with `_`, so a slot cannot be read as part of a type.
 */
export type SlotKind = '_key' | '_id' | '_name'

/** Where an event of a type waits: one place, so that two of one slot cannot wait at once. */
export type Slot = { readonly type: string; readonly kind: SlotKind; readonly token: string }

/** @throws MeshError MESH_INVALID_KEY */
export function slotOf(type: string, kind: SlotKind, name: string): Slot {
  return { type, kind, token: keyToken(name) }
}

/** The subject a slot waits on, as the server sees it. */
export function slotSubject(names: Names, { type, kind, token }: Slot): string {
  return names.delayWaiting(type, kind, token)
}

/** The slot of a waiting subject; `undefined` for any other. */
export function parseSlot(names: Names, subject: string): Slot | undefined {
  const match = /^delay\.at\.(.+)\.(_key|_id|_name)\.([^.]+)$/.exec(names.strip(subject))
  return match ? { type: match[1]!, kind: match[2] as SlotKind, token: match[3]! } : undefined
}

/** What a token was made of (the opposite of `keyToken`). */
export function slotName({ token }: Slot): string {
  return token.startsWith('=') ? Buffer.from(token.slice(1), 'base64url').toString('utf8') : token
}
