/**
 * Commits small batches of several handlers together: a server without replicas opens a store for each batch, which costs
 * it milliseconds however many messages are in it.
 *
 * G1  What is committed together is stored together or not at all, so each part is told its own success only then.
 * G2  One part that is refused must not hold up the others: after a refusal those that find in the stream what they expect
 *     not to be there are told so, the others go together again; where none does, they go by halves. One that nobody stores
 *     now (no stream, no leader) waits alone, in no lane.
 * G3  No subject that a part expects to be empty is written by another part of the same batch: the server would refuse the
 *     whole for good.
 */
import type { NatsConnection } from '@nats-io/transport-node'
import { MeshError } from '../errors.ts'
import { HEADER } from '../message/headers.ts'
import { MAX_BATCH, type BatchMember } from './atomic-batch.ts'
import type { PublishPipeline } from './pipeline.ts'
import { ERR_CODE, PublishRefused } from './pub-ack.ts'
import { getStored } from '../read/stored-message.ts'

export type CommitPart = {
  /** Name of the stream on the server. */
  stream: string
  members: readonly BatchMember[]
  timeoutMs: number
}

/** Batches of one stream on the wire at once. */
const LANES = 2
/** What one batch holds at most, bytes of payload; a larger part goes alone. */
const MAX_BYTES = 1024 ** 2

type Waiting = CommitPart & {
  deadline: number
  resolve: (last: { seq: number }) => void
  reject: (error: unknown) => void
}

export class GroupCommit {
  readonly #nc: NatsConnection
  readonly #pipeline: PublishPipeline
  readonly #streams = new Map<string, { waiting: Waiting[]; running: number }>()

  constructor(nc: NatsConnection, pipeline: PublishPipeline) {
    this.#nc = nc
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
    lanes.waiting.push({ ...part, deadline: performance.now() + part.timeoutMs, resolve, reject })
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

  /** Never rejects. Upholds G1. */
  async #store(group: readonly Waiting[]): Promise<void> {
    if (group.length === 0) return
    try {
      await this.#publish(group, true)
    } catch (error) {
      const isNobody = error instanceof MeshError && error.code === 'MESH_NO_STREAM'
      // A stream that takes no more takes none of them.
      const isOneParts = isNobody || (error instanceof PublishRefused && error.code !== 'MESH_STREAM_FULL')
      if (group.length > 1 && isOneParts) await this.#storeApart(group, error)
      else if (isNobody) void this.#publish(group, false).catch(group[0]!.reject)
      else for (const part of group) part.reject(error)
    }
  }

  async #publish(group: readonly Waiting[], hasty: boolean): Promise<void> {
    const members = group.flatMap((part) => part.members)
    const left = Math.max(...group.map((part) => part.deadline)) - performance.now()
    const timeoutMs = Math.max(1, Math.ceil(left))
    const ack = await this.#pipeline.publish({ ...members.at(-1)!, before: members.slice(0, -1), timeoutMs, hasty })
    let seq = ack.seq - members.length
    for (const part of group) {
      seq += part.members.length
      part.resolve({ seq })
    }
  }

  /** Upholds G2. */
  async #storeApart(group: readonly Waiting[], refusal: MeshError): Promise<void> {
    const isExpectation = refusal instanceof PublishRefused && refusal.errCode === ERR_CODE.wrongLastSequence
    const blocked = isExpectation ? await Promise.all(group.map((part) => this.#isBlocked(part))) : []
    if (blocked.includes(true)) {
      for (const [index, part] of group.entries()) if (blocked[index]) part.reject(refusal)
      await this.#store(group.filter((_, index) => !blocked[index]))
      return
    }
    const middle = Math.ceil(group.length / 2)
    // One after the other: all at once they would keep the server from answering.
    await this.#store(group.slice(0, middle))
    await this.#store(group.slice(middle))
  }

  /** Whether something is there that it expects not to be. One that cannot be looked up is not known to be blocked. */
  async #isBlocked({ stream, members }: CommitPart): Promise<boolean> {
    const found = await Promise.all(
      members
        .filter(isGuarded)
        .map(({ subject }) => getStored(this.#nc, stream, { last_by_subj: subject }).catch(() => undefined)),
    )
    return found.some((message) => message !== undefined)
  }
}

const isGuarded = ({ headers }: BatchMember): boolean =>
  headers.some(([name]) => name === HEADER.expectedLastSubjectSequence)

/** Takes out the parts that go next, the oldest among them. Upholds G3. */
function takeGroup(waiting: Waiting[]): Waiting[] {
  const group: Waiting[] = []
  const left: Waiting[] = []
  const written = new Set<string>()
  const guarded = new Set<string>()
  let messages = 0
  let bytes = 0
  for (const part of waiting) {
    const size = part.members.reduce((sum, { payload }) => sum + payload.length, 0)
    const fits = messages + part.members.length <= MAX_BATCH && bytes + size <= MAX_BYTES
    const meets = part.members.some((one) => guarded.has(one.subject) || (isGuarded(one) && written.has(one.subject)))
    if (group.length > 0 && (!fits || meets)) {
      left.push(part)
      continue
    }
    group.push(part)
    for (const member of part.members) {
      written.add(member.subject)
      if (isGuarded(member)) guarded.add(member.subject)
    }
    messages += part.members.length
    bytes += size
  }
  waiting.splice(0, waiting.length, ...left)
  return group
}
