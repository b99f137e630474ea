import { setTimeout as sleep } from 'node:timers/promises'
import { publishFailed, type PublishFailed } from '../../failure/mesh-events.ts'
import { writeSpoolLetter } from '../../failure/spool-letter.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Names } from '../../topology/names.ts'
import { outgoing } from '../outgoing.ts'
import { IdConflict, publishEvent } from '../publisher.ts'
import { type DeadEntry, LETTER, readHead } from './entry.ts'
import type { Line } from './line.ts'
import type { Spool } from './spool.ts'

export type ObituaryDeps = {
  spool: Spool
  line: () => Line | undefined
  names: Names
  /** Connection name of the process. */
  instance: string
  log: Logger
}

const AGAIN_MS = 5000

/**
 * Tells of every dead entry: a letter for the person on call, then `mesh.publish.failed` for read models. Both are tried until
 * they are stored, and both may come twice.
 */
export class Obituary {
  readonly #deps: ObituaryDeps
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined

  constructor(deps: ObituaryDeps) {
    this.#deps = deps
  }

  wake(): void {
    if (this.#stopping.signal.aborted) return
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { log } = this.#deps
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        if (!(await this.#tellNext())) return
      } catch (error) {
        log.warn({ err: error }, 'the letter of a spooled event could not be stored; it is tried again')
        await sleep(AGAIN_MS, undefined, { signal, ref: false }).catch(() => undefined)
      }
    }
  }

  /** Whether there may be more to tell now. */
  async #tellNext(): Promise<boolean> {
    const { spool, line } = this.#deps
    const current = line()
    const dead = current?.connection.isUp() ? spool.untold() : undefined
    if (!current || !dead) return false
    const isWhole = await this.#tell(current, dead)
    spool.told(dead.seq, isWhole ? LETTER.whole : LETTER.withoutPayload)
    return true
  }

  /** Whether the letter holds all of the event. */
  async #tell({ publisher }: Line, dead: DeadEntry): Promise<boolean> {
    const { spool, names, instance } = this.#deps
    const { out, queuedAt, trace } = readHead(dead)
    const { id, type, key, correlationId } = out.envelope
    const { subject: letter, isWhole } = await writeSpoolLetter({ ...publisher, names }, spool.id, dead)
    const data: PublishFailed = {
      id,
      type,
      ...(key === undefined ? {} : { key }),
      code: dead.death.code,
      message: dead.death.reason.slice(0, 500),
      queuedAt: new Date(queuedAt).toISOString(),
      at: dead.death.at,
      instance,
      stream: dead.stream,
      letter,
    }
    const occasion = { id: `spool.${spool.id}.${dead.seq}`, correlationId, causationId: id, timeoutMs: 10_000 }
    const event = await outgoing({ names, from: instance }, { contract: publishFailed, data, options: occasion })
    await publishEvent(publisher, { ...event, traceparent: trace.traceparent }).catch((error: unknown) => {
      // Another process told of it under its own name, and died before it wrote that down.
      if (!(error instanceof IdConflict && error.isRetold)) throw error
    })
    return isWhole
  }
}
