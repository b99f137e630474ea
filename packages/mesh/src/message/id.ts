import { hash, randomUUID } from 'node:crypto'
import { MeshError } from '../errors.ts'
import { isMatch, shown } from '../given.ts'

/** A new message's identity. */
export const newId = (): string => randomUUID()

/** What a derived id is made of: the same parts give the same id, in whatever order a redelivered handler publishes. */
export type DerivedIdParts = {
  /** `ce-id` of the message being handled. */
  from: string
  service: string
  handler: string
  type: string
  key: string | undefined
  /** This is the n-th output of that type and key, from 0. */
  index: number
}

/** The `ce-id` of a handler's output: 128 bits of SHA-256 over the parts, in the shape of a UUID (version 8, RFC 9562). */
export function derivedId(parts: DerivedIdParts): string {
  const { from, service, handler, type, key, index } = parts
  return uuidOf(hash('sha256', JSON.stringify([from, service, handler, type, key ?? null, index]), 'hex'))
}

/** The first 128 bits of a hash, given as hexadecimal digits, in the shape of a UUID (version 8, RFC 9562). */
export function uuidOf(hex: string): string {
  const variant = ((Number.parseInt(hex[16]!, 16) & 3) | 8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/**
 * Checks an id that a user chose.
 * @throws MeshError MESH_INVALID_HEADER
 */
export function checkId(id: string): string {
  if (isMatch(id, /^[A-Za-z0-9][\w.:/-]{0,127}$/)) return id
  throw new MeshError(
    'MESH_INVALID_HEADER',
    `id ${shown(id)}: letters, digits and _ . : / -, 128 at most; hash anything else`,
  )
}

/**
 * Checks what says to whom or to what a message belongs, the value of the option `name`: text, or nothing.
 * @throws MeshError MESH_INVALID_HEADER
 */
export function checkText(name: string, text: unknown): void {
  if (text !== undefined && typeof text !== 'string')
    throw new MeshError('MESH_INVALID_HEADER', `${name} is ${shown(text)}; text`)
}

/** What tells payloads apart in a record that does not keep them: SHA-256, hexadecimal. */
export const payloadHash = (payload: Uint8Array): string => hash('sha256', payload, 'hex')
