import type { TestNamespace } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Membership } from '../../../src/consume/ordered/membership.ts'
import type { Line } from '../../../src/consume/ordered/key-turns.ts'
import { Partition } from '../../../src/consume/ordered/partition.ts'
import type { PartitionRecord } from '../../../src/consume/ordered/partition-record.ts'
import { PartitionStore } from '../../../src/consume/ordered/partition-store.ts'
import type { RunnerOptions } from '../../../src/consume/runner-options.ts'
import { watchConnection } from '../../../src/lifecycle/connection-watch.ts'
import { silentLogger } from '../../../src/observe/logger.ts'
import { PublishPipeline } from '../../../src/publish/pipeline.ts'
import { streamState } from '../../../src/topology/stream-state.ts'

export type OnePartition = AsyncDisposable & {
  partition: Partition
  /** Of lines that may begin, as they were told. */
  ready: Line[]
  lost: string[]
  /** Its record, as the bucket has it. */
  record: () => Promise<PartitionRecord | undefined>
}

export type OnePartitionOptions = {
  /** What it is taken over with, beside its owner. */
  record?: Partial<PartitionRecord>
  limit?: number
  /** Whom it asks. @default a connection like any */
  nc?: NatsConnection
  maxAgeMs?: number
}

export const streamOf = (t: TestNamespace): string => `${t.namespace}_MOVES`

/** The stream and the bucket a partition needs. */
export async function groundFor(t: TestNamespace): Promise<void> {
  const jsm = await jetstreamManager(t.nats)
  const bucket = `${t.namespace}_PARTS`
  await jsm.streams.add({ name: streamOf(t), subjects: [`${t.namespace}.>`], allow_direct: true })
  await jsm.streams.add({ name: `KV_${bucket}`, subjects: [`$KV.${bucket}.>`], max_msgs_per_subject: 1 })
}

/** Stores events of the keys `tokens`, one each in this order; of the partition 0 unless told otherwise. */
export async function store(t: TestNamespace, tokens: readonly string[], partition = 0): Promise<void> {
  await Promise.all(
    tokens.map((token) => t.nats.request(`${t.namespace}.${partition}.${token}`, '', { timeout: 20_000 })),
  )
}

/** Partition 0 of a stream, owned by nobody else, with nothing that runs what is ready. */
export async function onePartition(t: TestNamespace, options: OnePartitionOptions = {}): Promise<OnePartition> {
  const { record, limit = 16, nc = t.nats, maxAgeMs = Infinity } = options
  const stream = streamOf(t)
  const connection = watchConnection(nc)
  const pipeline = new PublishPipeline(nc, connection)
  const records = new PartitionStore({ nc, pipeline, bucket: `${t.namespace}_PARTS`, handler: 'billing_bill' })
  const { epoch } = await streamState(t.nats, stream)
  const nothing = { read: 0, seen: 0, seenAt: '', running: [], open: [] }
  const taken: PartitionRecord = { epoch, fence: 1, owner: 'a', writes: 0, ...nothing, ...record }
  const found = await records.read(0)
  const revision = await records.write(0, taken, { revision: found?.revision ?? 0, timeoutMs: 5000 })
  const runner = {
    nc,
    connection,
    inboxPrefix: undefined,
    stream,
    epoch,
    log: silentLogger,
    handler: 'bill',
    service: { name: 'billing' },
    labels: { service: 'billing', handler: 'bill' },
    names: { durable: () => `${t.namespace}_billing_bill` },
    def: { source: { stream: { maxAgeMs } } },
  }
  const ready: Line[] = []
  const lost: string[] = []
  const partition = new Partition({
    runner: runner as unknown as RunnerOptions,
    store: records,
    membership: { holds: true, untilHolds: () => Promise.resolve() } as unknown as Membership,
    partition: 0,
    filter: `${t.namespace}.0.*`,
    claimed: { record: taken, revision: revision! },
    limit,
    port: { onReady: (_, line) => ready.push(line), onLost: (_, why) => lost.push(why), onRestored: () => undefined },
  })
  return {
    partition,
    ready,
    lost,
    record: async () => (await records.read(0))?.record,
    async [Symbol.asyncDispose]() {
      partition.drop()
      await pipeline.close()
    },
  }
}

/** Counts the consumers that are made on the stream from now on. */
export function consumersMade(t: TestNamespace): { count: () => number } {
  let count = 0
  t.nats.subscribe(`$JS.API.CONSUMER.CREATE.${streamOf(t)}.>`, { callback: () => void (count += 1) })
  return { count: () => count }
}

type Answer = { error?: unknown; message?: unknown; state?: { last_seq: number } }

/** A connection on which a leader answers that knows less than it should: `change` is given each answer before it is. */
export function answering(
  nc: NatsConnection,
  change: (subject: string, answer: Answer) => Answer | Promise<Answer>,
): NatsConnection {
  const request: NatsConnection['request'] = async (subject, ...rest) => {
    const msg = await nc.request(subject, ...rest)
    const changed = JSON.stringify(await change(subject, msg.json<Answer>()))
    return over(msg, { json: () => JSON.parse(changed) as never, data: new TextEncoder().encode(changed) })
  }
  return over(nc, { request })
}

/** The same object, but for what `parts` says. */
export function over<T extends object>(target: T, parts: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      if (name in parts) return parts[name as keyof T]
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
