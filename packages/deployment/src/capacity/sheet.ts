import type { Constant, ConstantName, Constants, CurveName } from './constants.ts'

export type Unit = 'bytes' | 'bytes/s' | '/s' | 'cores' | 'ms' | ''

/** What a figure is about, in the order in which a plan tells it. */
export type Group = 'one event' | 'storage' | 'memory' | 'rates' | 'handlers' | 'archive'

/** A constant that went into a figure. */
export type Origin = { readonly name: ConstantName | CurveName } & Constant

/** One line of a plan. */
export type Figure = {
  readonly group: Group
  readonly what: string
  readonly value: number
  readonly unit: Unit
  /** How it is computed, in a sentence part. */
  readonly how: string
  /** Measured constants that went into it; empty where it follows from what was given alone. */
  readonly from: readonly Origin[]
}

/** Something that has an end: `need` of what there is at `most`. */
export type Limit = {
  readonly what: string
  readonly need: number
  readonly most: number
  readonly unit: Unit
  /** So many times the load are carried; below 1 it is not carried as it is. */
  readonly factor: number
  /** What to do when it is met. */
  readonly remedy: string
  readonly from: readonly Origin[]
}

/** Gives the value of a constant, and remembers that it was asked for. */
export type Read = {
  (name: ConstantName): number
  curve(name: CurveName, bytes: number): number
  /** Values of figures that are there already, added up; what they come from, the one that reads them comes from as well. */
  sum(...whats: readonly string[]): number
}

export type FigureSpec = Pick<Figure, 'group' | 'what' | 'unit' | 'how'>
export type LimitSpec = Pick<Limit, 'what' | 'unit' | 'remedy'>
/** `fixed` is what does not grow with the load. @default 0 */
export type LimitValues = { need: number; most: number; fixed?: number }

/** Collects figures and limits; each knows what it was computed from, because it is computed through `read`. */
export type Sheet = {
  readonly figures: readonly Figure[]
  readonly limits: readonly Limit[]
  figure(spec: FigureSpec, compute: (read: Read) => number): number
  limit(spec: LimitSpec, compute: (read: Read) => LimitValues): void
}

export function openSheet(constants: Constants): Sheet {
  const figures: Figure[] = []
  const limits: Limit[] = []
  return {
    figures,
    limits,
    figure(spec, compute) {
      const { read, from } = reading(constants, figures)
      const value = compute(read)
      figures.push({ ...spec, value, from })
      return value
    },
    limit(spec, compute) {
      const { read, from } = reading(constants, figures)
      const { need, most, fixed = 0 } = compute(read)
      // What does not grow has its place first; the rest grows into what is left.
      const factor = Math.max(0, most - fixed) / (need - fixed)
      limits.push({ ...spec, need, most, factor, from })
    },
  }
}

function reading({ constants, curves }: Constants, figures: readonly Figure[]): { read: Read; from: Origin[] } {
  const from: Origin[] = []
  const note = (origin: Origin): void => {
    if (!from.some(({ name }) => name === origin.name)) from.push(origin)
  }
  const constant = (name: ConstantName): number => {
    note({ name, ...constants[name] })
    return constants[name].value
  }
  const curve = (name: CurveName, bytes: number): number => {
    const { points, unit, source } = curves[name]
    const value = onCurve(points, bytes)
    note({ name, value, unit, source })
    return value
  }
  const valueOf = (what: string): number => {
    const found = figures.find((each) => each.what === what)
    if (found === undefined) throw new Error(`no figure is called ${what} yet`)
    for (const origin of found.from) note(origin)
    return found.value
  }
  const sum = (...whats: readonly string[]): number => whats.reduce((total, what) => total + valueOf(what), 0)
  return { read: Object.assign(constant, { curve, sum }), from }
}

/** Straight lines between the points; before the first one its value, behind the last one on by what a byte cost between the last two. */
export function onCurve(points: readonly (readonly [number, number])[], x: number): number {
  const [first] = points
  if (first === undefined || x <= first[0]) return first?.[1] ?? 0
  const at = points.findIndex(([each]) => each >= x)
  const end = at === -1 ? points.length - 1 : at
  const [[x0, y0], [x1, y1]] = [points[end - 1]!, points[end]!]
  return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0)
}
