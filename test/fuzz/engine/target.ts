/** Some code and what must hold of it whatever bytes it gets. */
export type Target = {
  readonly name: string
  /** Throws where it does not hold. */
  readonly run: (bytes: Uint8Array) => void | Promise<void>
  /** Inputs to begin with. */
  readonly seeds: readonly Uint8Array[]
  /** Words to put into inputs, beside the texts of the sources it covers. */
  readonly words?: readonly string[]
}

/** Fails a case. The message is what tells findings apart. */
export function check(holds: boolean, what: string, ...about: unknown[]): asserts holds {
  if (!holds) throw new CaseFailed(what, about)
}

/** Something does not hold. */
export class CaseFailed extends Error {
  override readonly name = 'CaseFailed'

  constructor(what: string, about: readonly unknown[]) {
    super(what, { cause: about })
  }
}
