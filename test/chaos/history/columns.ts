/** Numbers by index that grow as needed: millions of them without an object each. What was never set is the filling. */
export interface Column {
  readonly length: number
  at(index: number): number
  set(index: number, value: number): void
  /** Counts one more. A column of bytes stops at 255. */
  count(index: number): void
  push(value: number): void
}

type Numbers = Uint8Array | Int32Array | Float64Array

/** @param of what each number is kept as */
export function column(of: 'byte' | 'int' | 'float', filling = 0): Column {
  const make = (size: number): Numbers => {
    const made = of === 'byte' ? new Uint8Array(size) : of === 'int' ? new Int32Array(size) : new Float64Array(size)
    return filling === 0 ? made : made.fill(filling)
  }
  const most = of === 'byte' ? 255 : Number.MAX_SAFE_INTEGER
  let values = make(64)
  let length = 0
  const at = (index: number): number => (index < length ? values[index]! : filling)
  const set = (index: number, value: number): void => {
    if (index >= values.length) {
      const larger = make(Math.max(index + 1, values.length * 2))
      larger.set(values)
      values = larger
    }
    values[index] = value
    if (index >= length) length = index + 1
  }
  return {
    get length() {
      return length
    },
    at,
    set,
    count: (index) => set(index, Math.min(most, at(index) + 1)),
    push: (value) => set(length, value),
  }
}

/** Counts by message and something of which there are few: up to 255 each. */
export interface Counts {
  at(row: number, of: number): number
  count(row: number, of: number): void
}

export function counts(width: number): Counts {
  const all = column('byte')
  return {
    at: (row, of) => all.at(row * width + of),
    count: (row, of) => all.count(row * width + of),
  }
}
