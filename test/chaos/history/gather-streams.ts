import { epochOf } from '@malha/mesh'
import { jetstream, jetstreamManager, type JsMsg, type StreamInfo } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { digestOf } from './digest.ts'
import type { Letter, StoredMessage } from './final-state.ts'
import { finalFile } from './saved-run.ts'
import { openWriter } from './write-lines.ts'

/** What the archive keeps: streams of contracts, the dead letters and what was done with them, and what the mesh says of itself. */
const ARCHIVED: ReadonlySet<string> = new Set(['events', 'dead-letters', 'mesh', 'operations', 'audit'])

/** Writes down every message of every archived stream, and the dead letters among them. */
export async function gatherStreams(nats: NatsConnection, run: string): Promise<void> {
  await using streams = openWriter<StoredMessage>(finalFile(run, 'streams'))
  await using letters = openWriter<Letter>(finalFile(run, 'letters'))
  const jsm = await jetstreamManager(nats)
  for await (const info of jsm.streams.list()) {
    const kind = info.config.metadata?.['malha.kind'] ?? ''
    if (!ARCHIVED.has(kind)) continue
    for await (const message of messagesOf(nats, info)) {
      if (message.subject.startsWith('_done.')) continue
      await streams.write(storedMessage(message, epochOf(info)))
      const letter = kind === 'dead-letters' ? letterOf(message) : undefined
      if (letter) await letters.write(letter)
    }
  }
}

async function* messagesOf(nats: NatsConnection, { config, state }: StreamInfo): AsyncGenerator<JsMsg> {
  if (state.messages === 0) return
  const consumer = await jetstream(nats).consumers.get(config.name)
  try {
    for await (const message of await consumer.consume({ max_messages: 5_000 })) {
      yield message
      if (message.seq >= state.last_seq || message.info.pending === 0) break
    }
  } finally {
    await consumer.delete()
  }
}

function storedMessage(message: JsMsg, epoch: number): StoredMessage {
  const { subject, seq, info, data: payload } = message
  const id = header(message, 'ce-id')
  const due = header(message, 'malha-due')
  const type = header(message, 'ce-type')
  const correlation = header(message, 'ce-correlationid')
  const causation = header(message, 'ce-causationid')
  const storedAtNs = storedAt(message)
  return {
    stream: info.stream,
    epoch,
    seq,
    id,
    type,
    subject,
    time: Number(storedAtNs / 1000n) / 1000,
    ...(due !== '' && { due: Date.parse(due) }),
    ...(causation !== '' && { causation }),
    digest: digestOf({ id, type, correlation, causation, subject, storedAtNs, payload }),
  }
}

/** Unix ns. The client's own `timestampNanos` goes through a number, which loses the last digits. */
function storedAt(message: JsMsg): bigint {
  const { reply } = message as JsMsg & { reply: string }
  const tokens = reply.split('.')
  // ADR-15 of nats-architecture-and-design: the longer form has domain and account in front.
  const ns = tokens[tokens.length === 9 ? 7 : 9]
  if (ns === undefined) throw new Error(`the reply subject ${reply} does not say when the message was stored`)
  return BigInt(ns)
}

/** Undefined for one that stands for a range of events that aged out, and for what was refused from a spool. */
function letterOf(message: JsMsg): Letter | undefined {
  const seq = Number(header(message, 'malha-dlq-seq'))
  const handler = header(message, 'malha-dlq-handler')
  if (handler === '' || !Number.isInteger(seq)) return undefined
  return {
    handler: `${header(message, 'malha-dlq-service')}.${handler}`,
    stream: header(message, 'malha-dlq-stream'),
    epoch: Number(header(message, 'malha-dlq-epoch')),
    seq,
    id: header(message, 'ce-id'),
    type: header(message, 'ce-type'),
    reason: header(message, 'malha-dlq-code'),
  }
}

const header = (message: JsMsg, name: string): string => message.headers?.get(name) ?? ''
