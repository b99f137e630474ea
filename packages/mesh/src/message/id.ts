import { hash, randomFillSync } from 'node:crypto'
import { MeshError } from '../errors.ts'
import { isMatch, shown } from '../given.ts'

/** For the next 256 ids: to ask for the bytes of one costs more than all else of it. */
const random = Buffer.allocUnsafe(256 * 16)
let randomAt = random.length

const uuid = Buffer.from('00000000-0000-0000-0000-000000000000')
/** Where the digits of each byte stand in it. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const
const DIGITS = Buffer.from('0123456789abcdef')

/**
 * A new message's identity: a UUID of version 4 (RFC 9562). `randomUUID` joins it from twenty texts, which takes twice as
 * long and ten times the memory.
 */
export function newId(): string {
  if (randomAt === random.length) {
    randomFillSync(random)
    randomAt = 0
  }
  random[randomAt + 6] = (random[randomAt + 6]! & 0x0f) | 0x40
  random[randomAt + 8] = (random[randomAt + 8]! & 0x3f) | 0x80
  for (const place of PLACES) {
    const byte = random[randomAt++]!
    uuid[place] = DIGITS[byte >> 4]!
    uuid[place + 1] = DIGITS[byte & 15]!
  }
  return uuid.toString('latin1')
}

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

/** The `ce-id` of the new message that a run makes of an event: the same for every runner of that run. */
export const replayId = (run: string, id: string): string =>
  uuidOf(hash('sha256', JSON.stringify(['replay', run, id]), 'hex'))

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
