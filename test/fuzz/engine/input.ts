/**
 * Reads values out of bytes, so that a change of a byte is a change of a value. What is read beyond the end is 0, '' or the
 * first of a list.
 */
export class Input {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isOver(): boolean {
    return this.#at >= this.#bytes.length
  }

  byte(): number {
    return this.#bytes[this.#at++] ?? 0
  }

  flag(): boolean {
    return (this.byte() & 1) === 1
  }

  /** 0 to `most`, at most 65 535. */
  upTo(most: number): number {
    return (most < 256 ? this.byte() : this.byte() * 256 + this.byte()) % (most + 1)
  }

  /** Any of the 2 to the power of 53 whole numbers that are safe, small ones more often. */
  integer(): number {
    const size = this.upTo(7)
    let value = 0
    for (let index = 0; index < size; index++) value = value * 256 + this.byte()
    return Math.min(value, Number.MAX_SAFE_INTEGER)
  }

  pick<T>(list: readonly [T, ...T[]]): T {
    return list[this.upTo(list.length - 1)]!
  }

  /** At most 65 535. */
  bytes(most = 255): Uint8Array {
    const length = this.upTo(most)
    const some = this.#bytes.slice(this.#at, this.#at + length)
    this.#at += length
    return some
  }

  rest(): Uint8Array {
    const some = this.#bytes.slice(this.#at)
    this.#at = this.#bytes.length
    return some
  }

  /** Any UTF-16 code units, halves of surrogate pairs among them. Bytes below 128 are themselves. */
  text(most = 255): string {
    return textOf(this.bytes(most))
  }

  /** A list of at most `most`. */
  list<T>(most: number, read: () => T): T[] {
    return Array.from({ length: this.upTo(most) }, read)
  }
}

function textOf(bytes: Uint8Array): string {
  const units: number[] = []
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!
    units.push(byte < 128 ? byte : (bytes[++at] ?? 0) * 256 + (bytes[++at] ?? 0))
  }
  return String.fromCharCode(...units)
}
