/**
 * Remembers at least the last `size` messages: what was settled here lately, so that a redelivery after a lost ack does not
 * run again. Written for each message and looked into for few, so a message is two numbers in a row, and is found by an
 * index that is made when somebody looks.
 */
export class Recent {
  readonly #size: number
  #latest: Half | undefined
  #older: Half | undefined

  constructor(size: number) {
    this.#size = size
  }

  add(seq: number, storedUs: number): void {
    this.#latest ??= new Half(this.#size)
    this.#latest.add(seq, storedUs)
    if (!this.#latest.isFull) return
    this.#older = this.#latest
    this.#latest = undefined
  }

  has(seq: number, storedUs: number): boolean {
    return [this.#latest, this.#older].some((half) => half?.has(seq, storedUs))
  }

  clear(): void {
    this.#latest = undefined
    this.#older = undefined
  }
}

class Half {
  readonly #seqs: Float64Array
  readonly #storedUs: Float64Array
  #length = 0
  /** Where a sequence is, for as many as were looked among. */
  readonly #places = new Map<number, number>()
  #indexed = 0

  constructor(size: number) {
    this.#seqs = new Float64Array(size)
    this.#storedUs = new Float64Array(size)
  }

  get isFull(): boolean {
    return this.#length === this.#seqs.length
  }

  add(seq: number, storedUs: number): void {
    this.#seqs[this.#length] = seq
    this.#storedUs[this.#length++] = storedUs
  }

  has(seq: number, storedUs: number): boolean {
    for (; this.#indexed < this.#length; this.#indexed++) this.#places.set(this.#seqs[this.#indexed]!, this.#indexed)
    const place = this.#places.get(seq)
    return place !== undefined && this.#storedUs[place] === storedUs
  }
}
