import { MeshError } from '../errors.ts'
import type { Labels } from '../observe/metrics.ts'
import { type MeshMetrics, publishedLabels } from '../observe/mesh-metrics.ts'
import type { ServiceDef } from '../service/define.ts'

/** Events of one type that a service published in this process since its start: that the server has, and that it could not get. */
export type SentCounts = { stored: number; failed: number }

/** What one service published, by type. */
export class ServiceSent {
  /** Types its service declares. */
  readonly declared: ReadonlySet<string>
  readonly #counts = new Map<string, SentCounts>()

  constructor({ publishes }: Pick<ServiceDef, 'publishes'>) {
    this.declared = new Set(publishes.map(({ type }) => type))
  }

  /** The same object for a type, each time. */
  of(type: string): SentCounts {
    const known = this.#counts.get(type)
    if (known) return known
    const counts = { stored: 0, failed: 0 }
    this.#counts.set(type, counts)
    return counts
  }

  list(): ({ type: string } & SentCounts)[] {
    return [...this.#counts].map(([type, counts]) => ({ type, ...counts }))
  }
}

/** What a publisher asked to be told: there is one already, or something else came in between. Nothing is wrong. */
const ANSWERS: ReadonlySet<string> = new Set(['MESH_ONCE_CONFLICT', 'MESH_EXPECTATION_FAILED', 'MESH_ID_CONFLICT'])

type Known = { type: string; counts: SentCounts; ok: Labels; error: Labels }

/** Counts events that were published, for the metrics and for who published them. What is looked up for a type is looked up once. */
export class Sent {
  readonly #metrics: Pick<MeshMetrics, 'published'>
  readonly #countsOf: (type: string) => SentCounts
  readonly #known = new Map<string, Known>()
  #last: Known | undefined

  constructor(metrics: Pick<MeshMetrics, 'published'>, countsOf: (type: string) => SentCounts) {
    this.#metrics = metrics
    this.#countsOf = countsOf
  }

  stored(type: string, ms: number): void {
    const known = this.#find(type)
    known.counts.stored++
    this.#metrics.published(known.ok, ms)
  }

  failed(type: string, ms: number, error: unknown): void {
    const known = this.#find(type)
    if (!(error instanceof MeshError && ANSWERS.has(error.code))) known.counts.failed++
    this.#metrics.published(known.error, ms)
  }

  /** It comes later: whoever brings it to its stream has it in his metrics. */
  putOff(type: string): void {
    this.#find(type).counts.stored++
  }

  /** A service came or went, so that a type may be another's. */
  forget(): void {
    this.#known.clear()
    this.#last = undefined
  }

  #find(type: string): Known {
    // Events of one type mostly come in a row.
    if (this.#last?.type === type) return this.#last
    let known = this.#known.get(type)
    if (!known) {
      known = { type, counts: this.#countsOf(type), ...publishedLabels(type) }
      this.#known.set(type, known)
    }
    this.#last = known
    return known
  }
}

/**
 * Counts what a process publishes outside of handlers: for the service that declares the type, where it runs several; else for the
 * one that started first.
 */
export class OwnSent extends Sent {
  readonly #services: Set<ServiceSent>

  constructor(metrics: Pick<MeshMetrics, 'published'>) {
    const services = new Set<ServiceSent>()
    super(metrics, (type) => {
      const all = [...services]
      return (all.find(({ declared }) => declared.has(type)) ?? all[0])?.of(type) ?? { stored: 0, failed: 0 }
    })
    this.#services = services
  }

  /** Returns how to take it away again. */
  add(service: ServiceSent): () => void {
    this.#services.add(service)
    this.forget()
    return () => {
      this.#services.delete(service)
      this.forget()
    }
  }
}
