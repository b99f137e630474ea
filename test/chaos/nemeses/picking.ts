import type { Random } from '../random.ts'

/** For tests: picks what matches where it can, and else what comes first. */
export function picking(matches: (one: unknown) => boolean = () => true): Random {
  return {
    int: (least) => least,
    pick: (from) => from.find(matches) ?? from[0]!,
    chance: () => true,
  }
}

/** The one of that name, also where it is one of two ends. */
export function named(...names: readonly string[]): Random {
  return picking((one) => {
    const { name, ends } = one as { name?: string; ends?: readonly string[] }
    return names.join() === (ends ?? [name]).join()
  })
}
