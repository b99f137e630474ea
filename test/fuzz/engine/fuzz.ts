import { isDeepStrictEqual } from 'node:util'
import type { Coverage } from './coverage.ts'
import { mutated, type Stock } from './mutate.ts'
import { type Random, seeded } from './random.ts'
import type { Target } from './target.ts'

/** An input for which something does not hold, as short as it could be made. */
export type Finding = {
  readonly target: string
  readonly what: string
  readonly stack: string
  readonly input: Uint8Array
}

export type Outcome = {
  readonly target: string
  readonly cases: number
  readonly ms: number
  /** Characters of the sources that ran; 0 without coverage. */
  readonly covered: number
  /** Inputs that reached something new, the given ones among them. */
  readonly corpus: readonly Uint8Array[]
  readonly findings: readonly Finding[]
}

export type FuzzOptions = {
  readonly cases: number
  readonly seed: number
  /** Inputs of earlier runs. */
  readonly corpus: readonly Uint8Array[]
  readonly words: readonly Uint8Array[]
  /** Without it, inputs are made of the given ones alone. */
  readonly coverage?: Coverage | undefined
  /** It ends when it has found so many. */
  readonly mostFindings: number
  /** Called once in a while. */
  readonly onProgress?: (cases: number) => void
}

/** Reading coverage costs as much as hundreds of cases, so many share one reading, and are told apart where it has news. */
const BATCH = 512
/** Longer than any case takes on a slow machine. */
const SLOW_MS = 5000

/** Runs a target on the given inputs, and then on as many made of them as there are cases. */
export async function fuzz(target: Target, options: FuzzOptions): Promise<Outcome> {
  const run = new Run(target, options)
  const startedAt = performance.now()
  await run.given([new Uint8Array(), ...target.seeds, ...options.corpus])
  while (run.cases < options.cases && run.findings.length < options.mostFindings) await run.batch()
  const { cases, corpus, findings } = run
  const ms = Math.round(performance.now() - startedAt)
  return { target: target.name, cases, ms, covered: options.coverage?.covered ?? 0, corpus, findings }
}

class Run {
  readonly #target: Target
  readonly #options: FuzzOptions
  readonly #random: Random
  readonly corpus: Uint8Array[] = []
  readonly findings: Finding[] = []
  cases = 0

  constructor(target: Target, options: FuzzOptions) {
    this.#target = target
    this.#options = options
    this.#random = seeded(options.seed)
  }

  async given(inputs: readonly Uint8Array[]): Promise<void> {
    for (const input of inputs) {
      await this.#runAll([input])
      const fresh = this.#options.coverage?.take({ keep: true }) ?? 1
      if (fresh > 0 && !this.corpus.some((known) => isDeepStrictEqual(known, input))) this.corpus.push(input)
    }
    if (this.corpus.length === 0) this.corpus.push(new Uint8Array())
  }

  async batch(): Promise<void> {
    const left = Math.min(BATCH, this.#options.cases - this.cases)
    const stock: Stock = { corpus: this.corpus, words: this.#options.words }
    const inputs = Array.from({ length: left }, () => mutated(this.#random, stock))
    await this.#runAll(inputs)
    if (this.#options.coverage && this.#options.coverage.take({ keep: false }) > 0) await this.#tellApart(inputs)
    this.#options.onProgress?.(this.cases)
  }

  /** Keeps those inputs of a batch that reach something new. */
  async #tellApart(inputs: readonly Uint8Array[]): Promise<void> {
    await this.#runAll(inputs)
    const isOne = inputs.length === 1
    if (this.#options.coverage!.take({ keep: isOne }) === 0) return
    if (isOne) {
      this.corpus.push(inputs[0]!)
      return
    }
    const half = Math.ceil(inputs.length / 2)
    await this.#tellApart(inputs.slice(0, half))
    await this.#tellApart(inputs.slice(half))
  }

  async #runAll(inputs: readonly Uint8Array[]): Promise<void> {
    for (const input of inputs) {
      this.cases++
      const error = await failureOf(this.#target, input)
      if (error === undefined) continue
      const what = nameOf(error)
      if (this.findings.some((known) => known.what === what)) continue
      const stack = error instanceof Error ? (error.stack ?? what) : what
      this.findings.push({ target: this.#target.name, what, stack, input: await shortened(this.#target, input, what) })
    }
  }
}

/** What a case throws; undefined where all holds. */
export async function failureOf(target: Target, input: Uint8Array): Promise<unknown> {
  const startedAt = performance.now()
  try {
    const running = target.run(input)
    if (running instanceof Promise) await running
  } catch (error) {
    return error ?? new Error('undefined was thrown')
  }
  const ms = performance.now() - startedAt
  return ms > SLOW_MS ? new Error('a case takes seconds') : undefined
}

/** What tells findings apart: what was said, without numbers and quoted text, and where. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`
  const frames = [...(error.stack ?? '').matchAll(/\n\s+at .*?([\w-]+\.ts:\d+)/g)].map(([, frame]) => frame)
  const at = frames.find((frame) => frame?.startsWith('target.ts:') === false) ?? ''
  const said = error.message.split('\n', 1)[0]!.replaceAll(/"[^"]*"|'[^']*'|\d+/g, '…')
  return `${error.name}: ${said.slice(0, 120)} (${at})`
}

/** Leaves out what is not needed for the same failure. */
async function shortened(target: Target, input: Uint8Array, what: string): Promise<Uint8Array> {
  let shortest = input
  for (let size = Math.ceil(input.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let from = 0; from < shortest.length;) {
      const shorter = Uint8Array.from([...shortest.subarray(0, from), ...shortest.subarray(from + size)])
      const error = await failureOf(target, shorter)
      if (error !== undefined && nameOf(error) === what) shortest = shorter
      else from += size
    }
  return shortest
}
