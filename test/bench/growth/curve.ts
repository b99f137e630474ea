import type { Mesh } from '@malha/mesh'

/** What a figure is at each place of a curve, by its name. */
export type Point = { readonly x: number; readonly figures: Readonly<Record<string, number>> }

/** A measure of how the price of one thing grows with the number, or the size, of others. */
export type Curve = {
  readonly title: string
  /** What x counts. */
  readonly x: string
  readonly places: readonly number[]
  measure(at: { mesh: Mesh; x: number }): Promise<Record<string, number>>
}

/**
 * The power of x by which a figure grew from the middle of its curve to the end: what is fixed is most of it before.
 * @returns NaN for fewer than two points
 */
export function powerOf(points: readonly Point[], figure: string): number {
  const late = points.slice(Math.floor((points.length - 1) / 2))
  const [from, to] = [late[0], late.at(-1)]
  if (!from || !to || from === to) return Number.NaN
  return Math.log(to.figures[figure]! / from.figures[figure]!) / Math.log(to.x / from.x)
}
