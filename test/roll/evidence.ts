import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { StoredMessage } from '../chaos/history/final-state.ts'
import { finalFile } from '../chaos/history/saved-run.ts'
import type { BrokerRolled } from './brokers.ts'
import type { Met } from './clients.ts'
import type { Ended } from './pod.ts'
import type { Unready } from './readiness.ts'
import type { StageLine } from './recorder.ts'

/** What a durable is, and what its server counted. */
export type Durable = {
  /** `<service>.<name>` */
  handler: string
  ackWaitMs: number
  /** Deliveries, repeated ones among them. */
  deliveries: number
}

/** What a roll left behind, beside what the rules of chaos are judged by. */
export type Evidence = {
  /** Stages of deliveries, of all processes. */
  stages: readonly StageLine[]
  stored: readonly Pick<StoredMessage, 'stream' | 'seq' | 'type' | 'subject' | 'time'>[]
  durables: readonly Durable[]
  met: Met
  ended: readonly Ended[]
  brokers: readonly Pick<BrokerRolled, 'beganAt'>[]
  unready: readonly Unready[]
  /** What a server refused, a line each. */
  refusals: readonly string[]
}

/** As `recorder.ts` has written them down. */
export const readStages = (folder: string): StageLine[] =>
  globSync(join(folder, '*.jsonl')).flatMap((file) => linesOf<StageLine>(file))

/** As `gather` of chaos has written them down. */
export const readStored = (run: string): StoredMessage[] => linesOf<StoredMessage>(finalFile(run, 'streams'))

/** Lines of JSON; a SIGKILL may have cut the last one. */
function linesOf<T>(file: string): T[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as T)
}

/** Durables of handlers of events. */
export async function readDurables(nats: NatsConnection): Promise<Durable[]> {
  const jsm = await jetstreamManager(nats)
  const durables: Durable[] = []
  for await (const { config: stream } of jsm.streams.list()) {
    if (stream.metadata?.['malha.kind'] !== 'events') continue
    for await (const { config, delivered } of jsm.consumers.list(stream.name)) {
      const { 'malha.service': service, 'malha.handler': handler } = config.metadata ?? {}
      if (service === undefined || handler === undefined) continue
      const ackWaitMs = (config.ack_wait ?? 0) / 1e6
      durables.push({ handler: `${service}.${handler}`, ackWaitMs, deliveries: delivered.consumer_seq })
    }
  }
  return durables
}
