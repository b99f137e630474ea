import { setMaxListeners } from 'node:events'
import { MeshError } from '../errors.ts'
import type { MeshMetrics } from '../observe/mesh-metrics.ts'

/** One request on its way. */
export type Entry = Disposable & {
  /** Aborts with `own`, or when the mesh closes without waiting longer. */
  signal(own: AbortSignal | undefined): AbortSignal
}

/** The requests of a process that are not yet answered, so that closing the mesh can wait for them. */
export class InFlight {
  readonly #metrics: MeshMetrics
  readonly #closed = new AbortController()
  readonly #byType = new Map<string, number>()
  #count = 0
  #isClosing = false
  #idle: (() => void)[] = []

  constructor(metrics: MeshMetrics) {
    this.#metrics = metrics
    // A listener a request; Node takes more than ten for a leak.
    setMaxListeners(0, this.#closed.signal)
  }

  /** @throws MeshError MESH_CLOSED */
  enter(type: string): Entry {
    if (this.#isClosing) throw new MeshError('MESH_CLOSED', `${type} was not asked: the mesh is closed`)
    this.#change(type, 1)
    let isOver = false
    return {
      signal: (own) => (own === undefined ? this.#closed.signal : AbortSignal.any([this.#closed.signal, own])),
      [Symbol.dispose]: () => {
        if (!isOver) this.#change(type, -1)
        isOver = true
      },
    }
  }

  /**
   * Takes nothing new; resolves when all are answered, or after `ms`, when the rest fails with MESH_CLOSED. A stream that
   * somebody began to read and forgot is not waited for any longer.
   */
  async close(ms: number): Promise<void> {
    this.#isClosing = true
    if (this.#count === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#idle.push(resolve)
    const late = setTimeout(() => {
      this.#closed.abort(new MeshError('MESH_CLOSED', 'the mesh was closed before the answer came'))
      resolve()
    }, ms)
    await promise
    clearTimeout(late)
  }

  #change(type: string, by: 1 | -1): void {
    this.#count += by
    const count = (this.#byType.get(type) ?? 0) + by
    this.#byType.set(type, count)
    this.#metrics.requesting(type, count)
    if (this.#count === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
}
