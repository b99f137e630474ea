/**
 * Up to which id the rows of one partition are complete. Ids are given out before transactions commit, so a row may
 * appear below others that were seen before. Each transaction that adds holds a lock on its partition first (see
 * `outbox_add`), so: once those that held it at a moment have ended, every id given out until that moment is either
 * there to be seen or never will be.
 */
export class Horizon {
  /** Rows up to here may be read. */
  readable = 0
  #next = 0
  #blockers: ReadonlySet<string> = new Set()

  /**
   * @param lastId the highest id given out, read *before* `writers`; none that is not given out yet
   * @param writers the transactions that hold the partition's lock
   */
  observe(lastId: number, writers: ReadonlySet<string>): void {
    if (this.#blockers.isDisjointFrom(writers)) {
      this.readable = this.#next
      this.#next = lastId
      this.#blockers = writers
    }
    if (writers.size === 0) this.readable = lastId
  }

  /** Somebody's transaction has to end before more can be read. */
  get isHeld(): boolean {
    return this.#blockers.size > 0
  }
}
