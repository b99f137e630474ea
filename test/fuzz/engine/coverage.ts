import { type Profiler, Session } from 'node:inspector'

let session: Session | undefined

/** Begun once and for good: what is loaded before it, or runs on after a stop, is seen by the function only. */
function profiler(): Session {
  if (session) return session
  session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  return session
}

/**
 * Which parts of some sources have run, by V8's block coverage. What was loaded before the first `start` is not seen, so the
 * code under test is imported afterwards.
 */
export class Coverage {
  readonly #session = profiler()
  readonly #covers: readonly string[]
  /** By function: a byte a character, 1 where it has run. */
  readonly #functions = new Map<string, Uint8Array>()
  #covered = 0

  private constructor(covers: readonly string[]) {
    this.#covers = covers
  }

  /** @param covers parts of the addresses of the sources that count, e.g. `packages/mesh/src/` */
  static start(covers: readonly string[]): Coverage {
    return new Coverage(covers)
  }

  /** Characters that have run. */
  get covered(): number {
    return this.#covered
  }

  /** How many characters have run since the last take and never before. `keep`: from now on they have. */
  take({ keep }: { keep: boolean }): number {
    let fresh = 0
    for (const { url, functions } of this.#results())
      for (const { functionName, ranges } of functions) fresh += this.#paint(`${url} ${functionName}`, ranges, keep)
    if (keep) this.#covered += fresh
    return fresh
  }

  #results(): Profiler.ScriptCoverage[] {
    let results: Profiler.ScriptCoverage[] = []
    // In the same thread it answers at once.
    this.#session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error) throw error
      results = result.filter(({ url }) => this.#covers.some((part) => url.includes(part)))
    })
    return results
  }

  /** Ranges come outer ones first; one that did not run is a hole in the one around it. */
  #paint(name: string, ranges: readonly Profiler.CoverageRange[], keep: boolean): number {
    const [whole] = ranges
    if (!whole || whole.count === 0) return 0
    const { startOffset: begin, endOffset: end } = whole
    const ran = new Uint8Array(end - begin)
    for (const { startOffset, endOffset, count } of ranges)
      ran.fill(count > 0 ? 1 : 0, startOffset - begin, endOffset - begin)
    const key = `${name} ${begin}`
    const known = this.#functions.get(key) ?? new Uint8Array(ran.length)
    if (keep) this.#functions.set(key, known)
    let fresh = 0
    for (const [index, one] of ran.entries()) {
      if (one === 0 || known[index] === 1) continue
      fresh++
      if (keep) known[index] = 1
    }
    return fresh
  }
}
