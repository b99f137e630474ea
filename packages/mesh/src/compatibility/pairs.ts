import type { Finding } from './place.ts'

type Known = {
  readonly findings: readonly Finding[]
  /** Where they were found. */
  readonly at: string
  /** Depth of the outermost open pair that it took for compatible; Infinity: it stands for itself. */
  readonly rests: number
}

/** What of another place is told in full. */
const TOLD = 3

/**
 * Pairs of schemas, each compared once however often it is met: parts that refer to each other have more ways through them
 * than anybody can walk.
 *
 * A pair that is met inside itself is taken for compatible there. Findings hold whatever was taken for compatible. That
 * there are none holds while those pairs are open, for good once they have turned out compatible, and else not at all.
 */
export class Pairs {
  readonly #open = new Map<string, number>()
  readonly #known = new Map<string, Known>()
  /** Known pairs that rest on an open one. */
  #resting: string[] = []
  #rests = Infinity

  /** What `compare` finds, or what was found of this pair before, at `path`. */
  once(pair: string, { path }: { readonly path: string }, compare: () => Finding[]): Finding[] {
    const openAt = this.#open.get(pair)
    const known = this.#known.get(pair)
    this.#rests = Math.min(this.#rests, openAt ?? known?.rests ?? Infinity)
    if (openAt !== undefined) return []
    if (known) return elsewhere(known, path)
    const depth = this.#open.size
    const outer = { rests: this.#rests, resting: this.#resting }
    this.#rests = Infinity
    this.#resting = []
    this.#open.set(pair, depth)
    const findings = compare()
    this.#open.delete(pair)
    const inner = { rests: this.#rests < depth ? this.#rests : Infinity, resting: this.#resting }
    this.#rests = outer.rests
    this.#resting = outer.resting
    if (findings.length > 0) {
      for (const one of inner.resting) this.#known.delete(one)
      this.#known.set(pair, { findings, at: path, rests: Infinity })
      return findings
    }
    for (const one of [...inner.resting, pair]) this.#known.set(one, { findings, at: path, rests: inner.rests })
    this.#rests = Math.min(outer.rests, inner.rests)
    if (inner.rests !== Infinity) this.#resting.push(...inner.resting, pair)
    return findings
  }
}

/** The same findings at another path; many of them in one, or their number would grow with that of the ways. */
function elsewhere({ findings, at }: Known, path: string): Finding[] {
  if (findings.length > TOLD)
    return [{ path, what: `it is as at ${at === '' ? 'the top' : at}: ${findings.length} reasons` }]
  return findings.map(({ path: full, what }) => {
    const rest = full.slice(at.length).replace(/^\./, '')
    return { path: rest === '' ? path : path === '' || rest.startsWith('[') ? path + rest : `${path}.${rest}`, what }
  })
}
