import { setTimeout as sleep } from 'node:timers/promises'
import { MeshError } from '../../errors.ts'
import type { ConnectionWatch } from '../../lifecycle/connection-watch.ts'
import { type PublisherDeps, readBack } from '../publisher.ts'

/** The way to the broker; undefined before the first connection. */
export type Line = { readonly publisher: PublisherDeps; readonly connection: ConnectionWatch }

type Floor = { seq: number; asked: Promise<number> }

/** The highest sequence of each stream that was heard of since the connection came: what is sent now, lands behind it. */
export class Heard {
  readonly #floors = new Map<string, Floor>()

  note(stream: string, seq: number): void {
    const floor = this.#floors.get(stream)
    if (!floor) this.#floors.set(stream, { seq, asked: Promise.resolve(seq) })
    else if (seq > floor.seq) floor.seq = seq
  }

  /**
   * The stream's last sequence, or one before it; asked for where nothing was heard yet, once for all who want it, and they
   * go on in their order. 0 where this user may not ask.
   * @throws MeshError MESH_PUBLISH_TIMEOUT when it was not said within `timeoutMs`
   */
  async floor({ publisher }: Line, stream: string, timeoutMs: number): Promise<number> {
    let floor = this.#floors.get(stream)
    if (!floor) {
      const asked = Promise.race([lastSequence(publisher, stream), late(stream, timeoutMs)])
      const asking: Floor = { seq: 0, asked }
      this.#floors.set(stream, asking)
      asked.catch(() => {
        if (this.#floors.get(stream) === asking) this.#floors.delete(stream)
      })
      floor = asking
    }
    return Math.max(await floor.asked, floor.seq)
  }

  /** While nobody listens a stream may be made again, with lower sequences. */
  forget(): void {
    this.#floors.clear()
  }
}

/** 0 when the stream is empty, or not there. */
async function lastSequence(publisher: PublisherDeps, stream: string): Promise<number> {
  try {
    return (await readBack(publisher, stream, { last_by_subj: '>' }))?.seq ?? 0
  } catch (error) {
    // That he may not is told when something has to be looked up.
    if (error instanceof MeshError && error.code === 'MESH_PUBLISH_REFUSED') return 0
    throw error
  }
}

async function late(stream: string, ms: number): Promise<never> {
  await sleep(ms, undefined, { ref: false })
  throw new MeshError('MESH_PUBLISH_TIMEOUT', `${stream}: the server did not say within ${ms} ms where it ends`)
}
