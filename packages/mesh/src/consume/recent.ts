/**
 * Remembers at least the last `size` names: what was settled here lately, so that a redelivery after a lost ack does not
 * run again. In two halves, because dropping the oldest of one set walks over all that were dropped before it.
 */
export class Recent {
  readonly #size: number
  #names = new Set<string>()
  #older = new Set<string>()

  constructor(size: number) {
    this.#size = size
  }

  add(name: string): void {
    this.#names.add(name)
    if (this.#names.size < this.#size) return
    this.#older = this.#names
    this.#names = new Set()
  }

  has(name: string): boolean {
    return this.#names.has(name) || this.#older.has(name)
  }

  clear(): void {
    this.#names.clear()
    this.#older.clear()
  }
}
