import type { Figures } from './scenario.ts'

/** Rounds of each variant, in the order they were run. */
export type Rounds = Readonly<Record<string, readonly Figures[]>>

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** A figure's name in a ratio: `cpuUsPerMessage` is `cpu`, `p50Ms` is `p50`, `rate` is `ratio`. */
export const shortName = (figure: string): string =>
  figure === 'rate' ? 'ratio' : figure.replace(/(UsPerMessage|PerMessage|Ms|Mb|Us)$/, '')

/** Median of the mesh's rounds, each divided by the other variant's round next to it: what slows the machine down slows both. */
export function ratioOf(rounds: Rounds, figure: string, variant: string): number | undefined {
  const others = rounds[variant]
  const mesh = rounds['mesh'] ?? []
  if (others === undefined) return undefined
  const ratios = mesh.flatMap((of, index) => {
    const [ours, theirs] = [of[figure], others[index]?.[figure]]
    return ours === undefined || theirs === undefined || theirs === 0 ? [] : [ours / theirs]
  })
  return ratios.length === 0 ? undefined : median(ratios)
}

/**
 * What a limit's name means in these rounds: the mesh's median of a figure (`rate`, `meanMs`), or else a ratio of one to another
 * variant (`ratioToPlain`, `cpuToPlain`, `p50ToLean`). Undefined when nothing of that name was measured.
 */
export function measuredAs(rounds: Rounds, name: string): number | undefined {
  const mesh = rounds['mesh'] ?? []
  const figures = mesh.flatMap((of) => of[name] ?? [])
  if (figures.length > 0) return median(figures)
  const asked = /^(\w+?)To([A-Z]\w*)$/.exec(name)
  if (!asked) return undefined
  const [, short, capital] = asked
  const variant = capital!.charAt(0).toLowerCase() + capital!.slice(1)
  const figure = Object.keys(mesh[0] ?? {}).find((each) => shortName(each) === short)
  return figure === undefined ? undefined : ratioOf(rounds, figure, variant)
}
