import { below, oneOf, type Random } from './random.ts'

/** What inputs are made from. */
export type Stock = {
  /** Inputs that reached something new. */
  readonly corpus: readonly Uint8Array[]
  /** Words the code under test knows: what it compares with is hardly ever met by chance. */
  readonly words: readonly Uint8Array[]
}

type Operation = (bytes: Uint8Array, random: Random, stock: Stock) => Uint8Array

const MOST_BYTES = 4096
const INTERESTING = [0, 1, 9, 10, 13, 32, 37, 46, 58, 61, 64, 127, 128, 255]

/** An input made of another one by one to eight small changes. */
export function mutated(random: Random, stock: Stock): Uint8Array {
  let bytes = oneOf(random, stock.corpus)
  const changes = 1 + Math.floor(8 * random() ** 3)
  for (let change = 0; change < changes; change++) bytes = oneOf(random, OPERATIONS)(bytes, random, stock)
  return bytes.length > MOST_BYTES ? bytes.slice(0, MOST_BYTES) : bytes
}

function withByte(bytes: Uint8Array, random: Random, change: (byte: number) => number): Uint8Array {
  if (bytes.length === 0) return Uint8Array.of(change(0) & 255)
  const copy = bytes.slice()
  const at = below(random, copy.length)
  copy[at] = change(copy[at]!) & 255
  return copy
}

/** `bytes` with what is between `from` and `to` replaced. */
function replaced(bytes: Uint8Array, { from, to }: { from: number; to: number }, by: Uint8Array): Uint8Array {
  const result = new Uint8Array(from + by.length + bytes.length - to)
  result.set(bytes.subarray(0, from))
  result.set(by, from)
  result.set(bytes.subarray(to), from + by.length)
  return result
}

function someRange(bytes: Uint8Array, random: Random): { from: number; to: number } {
  const from = below(random, bytes.length + 1)
  const most = random() < 0.8 ? 16 : bytes.length
  return { from, to: Math.min(bytes.length, from + below(random, most + 1)) }
}

const place = (bytes: Uint8Array, random: Random): { from: number; to: number } => {
  const from = below(random, bytes.length + 1)
  return { from, to: from }
}

const OPERATIONS: readonly Operation[] = [
  (bytes, random) => withByte(bytes, random, (byte) => byte ^ (1 << below(random, 8))),
  (bytes, random) => withByte(bytes, random, () => below(random, 256)),
  (bytes, random) => withByte(bytes, random, () => oneOf(random, INTERESTING)),
  (bytes, random) => withByte(bytes, random, (byte) => byte + below(random, 9) - 4),
  (bytes, random) => replaced(bytes, place(bytes, random), Uint8Array.of(below(random, 256))),
  (bytes, random) => replaced(bytes, someRange(bytes, random), new Uint8Array()),
  (bytes, random) => {
    const { from, to } = someRange(bytes, random)
    return replaced(bytes, place(bytes, random), bytes.slice(from, to))
  },
  (bytes, random, { corpus }) => {
    const other = oneOf(random, corpus)
    const { from, to } = someRange(other, random)
    return replaced(bytes, someRange(bytes, random), other.slice(from, to))
  },
  (bytes, random, { words }) =>
    words.length === 0 ? bytes : replaced(bytes, place(bytes, random), oneOf(random, words)),
  (bytes, random, { words }) => {
    if (words.length === 0) return bytes
    const word = oneOf(random, words)
    const from = below(random, bytes.length + 1)
    return replaced(bytes, { from, to: Math.min(bytes.length, from + word.length) }, word)
  },
]
