import { monthOf, type Row, seqOf } from '../message/row.ts'

/** Sequences that were passed over: nothing of them will come. */
export type Hole = { readonly first: number; readonly last: number }

/** Rows that are inserted together: from one month, so that the insert is one part and stored whole or not at all. */
export type Batch = {
  readonly rows: readonly Row[]
  /** Sequences among them that hold no event. */
  readonly markers: readonly number[]
  readonly bytes: number
  readonly first: number
  readonly last: number
  readonly holes: readonly Hole[]
}

export type BatchLimits = { readonly rows: number; readonly bytes: number }

type Entry = { readonly row: Row; readonly bytes: number; readonly atMs: number; readonly isMarker: boolean }

/** Rows in the order of their stream, waiting to be inserted. Holds two batches at most if its feeder asks `hasRoom` first. */
export class RowBuffer {
  readonly #limits: BatchLimits
  #entries: Entry[] = []
  #bytes = 0
  #expected: number

  /** @param nextSeq the first sequence that is to come */
  constructor(limits: BatchLimits, nextSeq: number) {
    this.#limits = limits
    this.#expected = nextSeq
  }

  get size(): number {
    return this.#entries.length
  }

  /** When the oldest row came, ms since 1970. */
  get oldestAtMs(): number | undefined {
    return this.#entries[0]?.atMs
  }

  /** When JetStream stored the oldest row. */
  get oldestPublishedAt(): string | undefined {
    return this.#entries[0]?.row[12]
  }

  get isFull(): boolean {
    return this.#entries.length >= this.#limits.rows || this.#bytes >= this.#limits.bytes
  }

  push(row: Row, atMs: number, { isMarker = false }: { isMarker?: boolean } = {}): void {
    const bytes = sizeOf(row)
    this.#entries.push({ row, bytes, atMs, isMarker })
    this.#bytes += bytes
  }

  /** The next batch, or undefined when there is nothing. */
  take(): Batch | undefined {
    const head = this.#entries[0]
    if (!head) return undefined
    const month = monthOf(head.row)
    let count = 0
    let bytes = 0
    for (const entry of this.#entries) {
      const fits = count < this.#limits.rows && bytes + entry.bytes <= this.#limits.bytes
      if (count > 0 && (!fits || monthOf(entry.row) !== month)) break
      count += 1
      bytes += entry.bytes
    }
    const taken = this.#entries.splice(0, count)
    this.#bytes -= bytes
    const holes = this.#holesIn(taken.map(({ row }) => row))
    const rows = taken.filter(({ isMarker }) => !isMarker).map(({ row }) => row)
    const markers = taken.filter(({ isMarker }) => isMarker).map(({ row }) => seqOf(row))
    return { rows, markers, bytes, first: seqOf(head.row), last: this.#expected - 1, holes }
  }

  #holesIn(rows: readonly Row[]): Hole[] {
    const holes: Hole[] = []
    for (const row of rows) {
      const seq = seqOf(row)
      if (seq > this.#expected) holes.push({ first: this.#expected, last: seq - 1 })
      this.#expected = seq + 1
    }
    return holes
  }
}

/** Roughly what a row takes in an insert: only the payload, the headers and the subject can be large. */
function sizeOf(row: Row): number {
  let size = 300 + row[3].length + row[14].length
  for (const [name, values] of Object.entries(row[13])) {
    size += name.length
    for (const value of values) size += value.length
  }
  return size
}
