import {
  type AnyRequest,
  type ErrorSchemas,
  MeshError,
  type ReplyContext,
  type ReplyDef,
  ReplyError,
  silentLogger,
} from '@malha/mesh'
import { type Carrying, carried, received } from './contract-data.ts'
import type { Given } from './handler-run.ts'
import { testClock } from './test-clock.ts'

/** What a reply's context says in a specification. */
export type ReplyGiven = Pick<Given, 'id' | 'version' | 'headers' | 'correlationId' | 'causationId' | 'clock' | 'log'>

/** What a reply answered, as the wire carries it: one reply, or the parts of a streaming one up to its end or error. */
export type ReplyResult = { replies: unknown[]; error: unknown; failed: boolean }

/** Runs a reply once. Never rejects: what was thrown is part of the result. */
export async function runReply(def: ReplyDef, data: unknown, given: ReplyGiven): Promise<ReplyResult> {
  const clock = given.clock ?? testClock()
  const timeUp = new AbortController()
  const stop = clock.after(def.timeoutMs, () =>
    timeUp.abort(new MeshError('MESH_HANDLER_TIMEOUT', `the reply took longer than ${def.timeoutMs} ms`)),
  )
  const { contract } = def
  const replies: unknown[] = []
  try {
    const input = await received(contract, data, given.version ?? contract.version)
    const deadline = new Date(clock.date().getTime() + def.timeoutMs)
    const answered = def.handle(input, contextOf(contract, given, { signal: timeUp.signal, deadline }))
    if (contract.streaming)
      for await (const part of answered as AsyncIterable<unknown>) replies.push(await carried(replyOf(contract), part))
    else replies.push(await carried(replyOf(contract), await answered))
    return { replies, error: undefined, failed: false }
  } catch (error) {
    return { replies, error: timeUp.signal.aborted ? timeUp.signal.reason : await named(contract, error), failed: true }
  } finally {
    stop()
  }
}

export const replyOf = ({ type, reply, codec }: AnyRequest): Carrying => ({
  type: `the reply to ${type}`,
  schema: reply,
  codec,
})

/** What requesters are told of an error that its contract names: its data as the wire carries them. */
async function named(contract: AnyRequest, error: unknown): Promise<unknown> {
  if (!(error instanceof ReplyError) || error.type !== contract.type) return error
  const schema = (contract.errors as ErrorSchemas)[error.code]
  if (!schema)
    return new TypeError(`${contract.type} names no error ${error.code}; requesters hear MESH_REQUEST_FAILED`)
  try {
    const what = { type: `the error ${error.code} of ${contract.type}`, schema, codec: contract.codec }
    return new ReplyError(error.type, error.code, await carried(what, error.data))
  } catch (unfitting) {
    return unfitting
  }
}

function contextOf(
  contract: AnyRequest,
  given: ReplyGiven,
  { signal, deadline }: Pick<ReplyContext, 'signal' | 'deadline'>,
): ReplyContext {
  const id = given.id ?? 'request-1'
  const headers = Object.entries(given.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value])
  return {
    id,
    type: contract.type,
    version: given.version ?? contract.version,
    correlationId: given.correlationId ?? id,
    causationId: given.causationId,
    headers: Object.fromEntries(headers) as Record<string, string>,
    deadline,
    signal,
    log: given.log ?? silentLogger,
  }
}
