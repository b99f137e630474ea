/** Remembers the last `size` names: what was settled here lately, so that a redelivery after a lost ack does not run again. */
export class Recent {
  readonly #size: number
  readonly #names = new Set<string>()

  constructor(size: number) {
    this.#size = size
  }

  add(name: string): void {
    this.#names.add(name)
    if (this.#names.size > this.#size) this.#names.delete(this.#names.values().next().value!)
  }

  has(name: string): boolean {
    return this.#names.has(name)
  }

  clear(): void {
    this.#names.clear()
  }
}
