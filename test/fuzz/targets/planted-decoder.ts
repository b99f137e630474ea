const MAGIC = [0x4d, 0x4c, 0x48, 0x41] as const

/**
 * A note: four bytes that say it is one, its length, its bytes. The defect: a length of more than there is was not thought
 * of. Written as parsers are, a step a byte.
 */
export function readNote(bytes: Uint8Array): (number | undefined)[] | undefined {
  if (bytes[0] !== MAGIC[0]) return undefined
  if (bytes[1] !== MAGIC[1]) return undefined
  if (bytes[2] !== MAGIC[2]) return undefined
  if (bytes[3] !== MAGIC[3]) return undefined
  const length = bytes[4] ?? 0
  return Array.from({ length }, (_, index) => bytes[5 + index])
}
