/** What is kept in memory of a row that waits. */
export type Waiting = { readonly id: number; readonly bytes: number }

/** A row as a scan finds it. */
export type Found = Waiting & {
  readonly partition: number
  readonly orderKey: string | undefined
  readonly waitMs: number
}

/** Rows of one key, or one row without a key, in the order they go out. */
export type Lane = {
  readonly name: string
  readonly partition: number
  readonly orderKey: string | undefined
  waiting: Waiting[]
  /** Some of its rows are with the sender. */
  isBusy: boolean
  /** performance.now() before which nothing of it is started. */
  heldUntil: number
  /** Rows behind this id were left in the table, because so many wait here. */
  leftBehind: number | undefined
}

export type TakeLimits = {
  readonly rows: number
  readonly bytes: number
  readonly perLane: number
  /** Partitions of which nothing is started. */
  readonly except: ReadonlySet<number>
}

/** What may wait in memory of one key; the rest is left in the table. */
const LANE_ROWS = 128

/** What waits of one stream, by key. Pure bookkeeping. */
export class Lanes {
  readonly #lanes = new Map<string, Lane>()
  /** Lanes that may be started, oldest first; one that is held stays in here until it is looked at. */
  readonly #ready = new Set<Lane>()
  /** Lanes whose rows in memory are used up while more are in the table. */
  readonly #hungry = new Set<Lane>()
  #size = 0

  add({ id, bytes, partition, orderKey, waitMs }: Found, now: number): void {
    const name = orderKey ?? `#${id}`
    let lane = this.#lanes.get(name)
    if (lane === undefined) {
      lane = { name, partition, orderKey, waiting: [], isBusy: false, heldUntil: 0, leftBehind: undefined }
      this.#lanes.set(name, lane)
    }
    if (lane.leftBehind !== undefined || lane.waiting.length >= LANE_ROWS) {
      lane.leftBehind ??= lane.waiting.at(-1)?.id ?? 0
      return
    }
    lane.waiting.push({ id, bytes })
    this.#size += 1
    if (waitMs > 0 && lane.waiting.length === 1 && !lane.isBusy) lane.heldUntil = now + waitMs
    if (!lane.isBusy) this.#ready.add(lane)
  }

  /** Lanes that may start now, each marked busy, with the rows taken from its front; at most `rows` and about `bytes` in all. */
  take(now: number, limits: TakeLimits): { lane: Lane; rows: Waiting[] }[] {
    const taken: { lane: Lane; rows: Waiting[] }[] = []
    let rows = 0
    let bytes = 0
    for (const lane of this.#ready) {
      if (rows >= limits.rows || bytes >= limits.bytes) break
      if (lane.heldUntil > now || lane.waiting.length === 0 || limits.except.has(lane.partition)) continue
      const front = lane.waiting.splice(0, Math.min(limits.perLane, limits.rows - rows))
      rows += front.length
      this.#size -= front.length
      bytes += front.reduce((sum, row) => sum + row.bytes, 0)
      lane.isBusy = true
      this.#ready.delete(lane)
      taken.push({ lane, rows: front })
    }
    return taken
  }

  /** The sender is done with a lane; `unsent` go back to its front. */
  give(lane: Lane, unsent: readonly Waiting[], heldUntil: number): void {
    lane.isBusy = false
    lane.heldUntil = heldUntil
    if (this.#lanes.get(lane.name) !== lane) return
    lane.waiting.unshift(...unsent)
    this.#size += unsent.length
    this.#place(lane)
  }

  hungry(): Lane[] {
    return [...this.#hungry]
  }

  /** More rows of a hungry lane; `isAll` when none is left in the table up to where the scans are. */
  feed(lane: Lane, rows: readonly Waiting[], isAll: boolean): void {
    this.#hungry.delete(lane)
    lane.waiting.push(...rows)
    this.#size += rows.length
    lane.leftBehind = isAll ? undefined : (rows.at(-1)?.id ?? lane.leftBehind)
    this.#place(lane)
  }

  /** Forgets what waits of a partition. Rows with the sender are its own. */
  forget(partition: number): void {
    for (const lane of this.#lanes.values()) {
      if (lane.partition !== partition) continue
      this.#lanes.delete(lane.name)
      this.#ready.delete(lane)
      this.#hungry.delete(lane)
      this.#size -= lane.waiting.length
    }
  }

  isBusy(partition: number): boolean {
    return [...this.#lanes.values()].some((lane) => lane.partition === partition && lane.isBusy)
  }

  /** The earliest time a held lane may start; Infinity without one. */
  nextAt(now: number): number {
    let next = Infinity
    for (const lane of this.#ready) if (lane.heldUntil > now) next = Math.min(next, lane.heldUntil)
    return next
  }

  /** Rows in memory that wait. */
  get size(): number {
    return this.#size
  }

  #place(lane: Lane): void {
    if (lane.waiting.length > 0) this.#ready.add(lane)
    else if (lane.leftBehind === undefined) this.#lanes.delete(lane.name)
    else this.#hungry.add(lane)
  }
}
