/** First in, first out. `Array.shift` moves all that is left: of 100,000 that takes a third of a millisecond (Node 24). */
export class Fifo<T> {
  #items: T[] = []
  #taken = 0

  get size(): number {
    return this.#items.length - this.#taken
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    const item = this.#items[this.#taken]
    if (this.size > 0) this.#taken++
    // What is taken is forgotten by halves, so that each is moved about once.
    if (this.#taken * 2 > this.#items.length) this.#forget()
    return item
  }

  /** Takes out all of a kind. */
  takeAll(isOne: (item: T) => boolean): T[] {
    this.#forget()
    const found = this.#items.filter((item) => isOne(item))
    if (found.length > 0) this.#items = this.#items.filter((item) => !isOne(item))
    return found
  }

  #forget(): void {
    this.#items = this.#items.slice(this.#taken)
    this.#taken = 0
  }
}
