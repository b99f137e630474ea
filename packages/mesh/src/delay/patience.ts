import { setTimeout as sleep } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import { deniedSubject } from '../topology/api-errors.ts'

const PAUSE_MS = 100
/** A question is lost with its connection; asked anew after this, and each time twice that, because the server may just be slow. */
const FIRST_TRY_MS = 1000

/** How long one operation on what waits may take in all: its questions are asked until then, also while the broker is away. */
export class Patience {
  readonly #nc: NatsConnection
  readonly #what: string
  readonly #timeoutMs: number
  #until: number

  /** @param what names the operation in its errors: the type, as `order.timed-out` */
  constructor(nc: NatsConnection, what: string, timeoutMs: number) {
    this.#nc = nc
    this.#what = what
    this.#timeoutMs = timeoutMs
    this.#until = performance.now() + timeoutMs
  }

  /** What is left of it, ms. */
  get leftMs(): number {
    return Math.max(0, this.#until - performance.now())
  }

  /** It goes on for this long at least: what is stored must be seen through. */
  extend(ms: number): void {
    this.#until = Math.max(this.#until, performance.now() + ms)
  }

  /**
   * Asks until there is an answer.
   * @throws MeshError MESH_PUBLISH_TIMEOUT | MESH_PUBLISH_REFUSED | MESH_CLOSED, and those of the question at once
   */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    for (let tryMs = FIRST_TRY_MS; ; tryMs *= 2) {
      try {
        return await this.#inTime(question(), tryMs)
      } catch (error) {
        if (error instanceof MeshError) throw error
        this.#giveUp(error)
        await sleep(PAUSE_MS)
      }
    }
  }

  /** Waits for something else to happen. @throws MeshError MESH_PUBLISH_TIMEOUT when there is no time left */
  async pause(why: string): Promise<void> {
    if (this.leftMs === 0) throw this.#timeout(why)
    await sleep(Math.min(PAUSE_MS, this.leftMs))
  }

  #giveUp(error: unknown): void {
    const denied = deniedSubject(error)
    if (denied !== undefined)
      throw new MeshError('MESH_PUBLISH_REFUSED', `${this.#what}: this user may not use ${denied}; grant it`, {
        cause: error,
      })
    if (this.#nc.isClosed()) throw new MeshError('MESH_CLOSED', `${this.#what}: the mesh is closed`, { cause: error })
    if (this.leftMs <= PAUSE_MS) throw this.#timeout('the server did not answer', error)
  }

  #timeout(why: string, cause?: unknown): MeshError {
    return new MeshError(
      'MESH_PUBLISH_TIMEOUT',
      `${this.#what}: ${why} within ${this.#timeoutMs} ms; what was asked may or may not be done, ask again (an event with the same id)`,
      { cause },
    )
  }

  async #inTime<T>(answer: Promise<T>, tryMs: number): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no answer')), Math.min(tryMs, this.leftMs))
    })
    try {
      return await Promise.race([answer, late])
    } finally {
      clearTimeout(timer)
    }
  }
}
