/** Numbers that follow from a seed: the same calls give the same answers. */
export interface Random {
  /** A whole number from `least` to `most`, both included. */
  int(least: number, most: number): number
  /** One of them. Throws when there is none. */
  pick<T>(from: readonly T[]): T
  /** Whether something of this chance (0 to 1) happens. */
  chance(probability: number): boolean
}
