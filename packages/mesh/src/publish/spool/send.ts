import { context, propagation, ROOT_CONTEXT } from '@opentelemetry/api'
import { HEADER, headerBytes } from '../../message/headers.ts'
import { publishSpan } from '../../observe/spans.ts'
import type { BatchMember } from '../atomic-batch.ts'
import { PublishRefused } from '../pub-ack.ts'
import { checkSize, eventHeaders, type Outgoing, publishEvent, type PublisherDeps } from '../publisher.ts'
import { type Entry, type EntryHead, outgoingOf, readHead } from './entry.ts'
import { type Fate, fateOf } from './fate.ts'
import type { Lookup } from './lookup.ts'

const SEND_MS = 5000

/** Runs in the trace the event was published in. */
function inTrace<T>({ trace }: EntryHead, work: () => T): T {
  return context.with(propagation.extract(ROOT_CONTEXT, trace), work)
}

/** An event that may have been sent, and how to look for it; undefined for one that never was. */
export type Before = { readonly after: number; readonly lookup: Lookup }

/** Sends one; one that may have been sent before is looked up first. `hasty` as for {@link Outgoing}. Never throws. */
export async function sendOne(
  publisher: PublisherDeps,
  entry: Entry,
  { before, hasty }: { before: Before | undefined; hasty: boolean },
): Promise<Fate> {
  const head = readHead(entry)
  const out = outgoingOf(entry, head, SEND_MS)
  return await inTrace(head, async (): Promise<Fate> => {
    try {
      // `once` is looked up by the server, with every send.
      const sent = before && !out.once && { out, after: before.after, queuedAt: head.queuedAt }
      const found = sent ? await before.lookup.find(publisher, sent) : undefined
      const { seq } = found ?? (await publishEvent(publisher, { ...out, hasty }))
      return { kind: 'stored', seq }
    } catch (error) {
      return await fateOf(error, publisher.nc, out)
    }
  })
}

/**
 * Sends several of one stream as one atomic batch: next to each other and in this order, or none. Undefined when the server
 * refused it: then each has its own fate. Never throws.
 */
export async function sendTogether(publisher: PublisherDeps, entries: readonly Entry[]): Promise<Fate | undefined> {
  const outs = entries.map((entry) => ({ head: readHead(entry), entry }))
  const sent = outs.map(({ head, entry }) => begun(head, outgoingOf(entry, head, SEND_MS)))
  const started = performance.now()
  const { sent: counter } = publisher
  try {
    const members = sent.map((one) => memberOf(publisher, one))
    const ack = await publisher.pipeline.publish({
      ...members.at(-1)!,
      before: members.slice(0, -1),
      timeoutMs: SEND_MS,
    })
    for (const [index, { span }] of sent.entries())
      span.end({ stream: ack.stream, seq: ack.seq - (sent.length - 1 - index) })
    for (const { out } of sent) counter.stored(out.envelope.type, performance.now() - started)
    return { kind: 'stored', seq: ack.seq }
  } catch (error) {
    for (const { span } of sent) span.fail(error)
    for (const { out } of sent) counter.failed(out.envelope.type, performance.now() - started, error)
    const fate = await fateOf(error, publisher.nc, sent[0]!.out)
    return fate.kind === 'dead' || error instanceof PublishRefused ? undefined : fate
  }
}

type Begun = { out: Outgoing; span: ReturnType<typeof publishSpan> }

function begun(head: EntryHead, out: Outgoing): Begun {
  return { out, span: inTrace(head, () => publishSpan(out.envelope, out.subject, out.payload.length)) }
}

function memberOf({ nc }: PublisherDeps, { out, span }: Begun): BatchMember {
  const headers = [...eventHeaders(out, span.headers(out.traceparent)), [HEADER.msgId, out.envelope.id] as const]
  checkSize(nc, out, headerBytes(headers))
  return { subject: out.subject, payload: out.payload, headers }
}
