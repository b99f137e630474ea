/**
 * Commits small batches of several handlers together: a server without replicas opens a store for each batch, which costs it
 * 2.5 ms however many messages are in it.
 *
 * G1  What is committed together is stored together or not at all, so each part is told its own success only then.
 * G2  A part that is likely to be refused (it was tried before) goes alone; after a refusal every part goes alone, so that
 *     each learns what is wrong with itself.
 * G3  No two parts of one batch begin on the same subject: the server would refuse the whole for good.
 */
import { MAX_BATCH, type BatchMember } from './atomic-batch.ts'
import type { PublishPipeline } from './pipeline.ts'
import { PublishRefused } from './pub-ack.ts'

export type CommitPart = {
  /** Name of the stream on the server. */
  stream: string
  members: readonly BatchMember[]
  /** Not together with others. */
  isAlone: boolean
  timeoutMs: number
}

/** Batches of one stream on the wire at once. */
const LANES = 2
/** What one batch holds at most, bytes; a larger part goes alone. */
const MAX_BYTES = 1024 ** 2

type Waiting = CommitPart & { resolve: (last: { seq: number }) => void; reject: (error: unknown) => void }

export class GroupCommit {
  readonly #pipeline: PublishPipeline
  readonly #streams = new Map<string, { waiting: Waiting[]; running: number }>()

  constructor(pipeline: PublishPipeline) {
    this.#pipeline = pipeline
  }

  /**
   * Stores all members of a part or none. Resolves with the sequence of the last; the others stand right before it.
   * @throws as PublishPipeline.publish
   */
  commit(part: CommitPart): Promise<{ seq: number }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ seq: number }>()
    const lanes = this.#streams.get(part.stream) ?? { waiting: [], running: 0 }
    this.#streams.set(part.stream, lanes)
    lanes.waiting.push({ ...part, resolve, reject })
    // What comes in the same turn goes together.
    queueMicrotask(() => this.#next(part.stream))
    return promise
  }

  #next(stream: string): void {
    const lanes = this.#streams.get(stream)
    if (!lanes) return
    while (lanes.running < LANES && lanes.waiting.length > 0) {
      const group = takeGroup(lanes.waiting)
      lanes.running++
      void this.#store(group).finally(() => {
        lanes.running--
        if (lanes.running === 0 && lanes.waiting.length === 0) this.#streams.delete(stream)
        this.#next(stream)
      })
    }
  }

  /** Never rejects. Upholds G1, G2. */
  async #store(group: readonly Waiting[]): Promise<void> {
    const members = group.flatMap((part) => part.members)
    const timeoutMs = Math.max(...group.map((part) => part.timeoutMs))
    try {
      const ack = await this.#pipeline.publish({ ...members.at(-1)!, before: members.slice(0, -1), timeoutMs })
      let seq = ack.seq - members.length
      for (const part of group) {
        seq += part.members.length
        part.resolve({ seq })
      }
    } catch (error) {
      if (group.length === 1 || !(error instanceof PublishRefused)) for (const part of group) part.reject(error)
      else await Promise.all(group.map((part) => this.#store([part])))
    }
  }
}

/** The parts that go next, in the order they came. Upholds G2, G3. */
function takeGroup(waiting: Waiting[]): Waiting[] {
  const group: Waiting[] = []
  const subjects = new Set<string>()
  let messages = 0
  let bytes = 0
  for (const part of waiting) {
    const [head] = part.members
    const size = part.members.reduce((sum, { payload }) => sum + payload.length, 0)
    const isFirst = group.length === 0
    const fits = messages + part.members.length <= MAX_BATCH && bytes + size <= MAX_BYTES && !part.isAlone
    if (!isFirst && (!fits || subjects.has(head!.subject))) break
    group.push(part)
    subjects.add(head!.subject)
    messages += part.members.length
    bytes += size
    if (part.isAlone) break
  }
  waiting.splice(0, group.length)
  return group
}
