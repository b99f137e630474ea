import { type Delay, readDelay } from '../delay/delay.ts'
import { MeshError } from '../errors.ts'
import type { Maybe } from '../maybe.ts'
import type { AnyContract } from '../message/contract.ts'
import { type Envelope, newEnvelope } from '../message/envelope.ts'
import { derivedId } from '../message/id.ts'
import { subjectOf } from '../message/key.ts'
import { checkPublish } from '../publish/check-publish.ts'
import { encodeEvent, type Encoded } from '../publish/encode.ts'
import { IdConflict, type Outgoing, publishEvent, type PublisherDeps } from '../publish/publisher.ts'
import type { Names } from '../topology/names.ts'
import type { OutputOptions } from './context.ts'
import type { HandlerDef } from './define.ts'
import { isDone, publishOnce } from './effects-once.ts'
import { checkOnceOutput, markerTtlMs } from './effects-rules.ts'

/** What a handler published so far in this attempt. */
export type Outputs = {
  add(contract: AnyContract, data: unknown, options: OutputOptions): void
  /** Takes back what was added so far: the call that did is made again. */
  forget(): void
  /** Publishes all; resolves when each is stored. @throws the first that could not be stored */
  send(): Promise<void>
  /** Publishes none; how many of each type that were. @throws what is wrong with one of them */
  withhold(): Promise<Record<string, number>>
}

export type OutputsOptions = {
  deps: PublisherDeps
  names: Names
  service: string
  handler: string
  /** The message being handled. */
  cause: Envelope
  traceparent: string | undefined
  once?: OnceOptions | undefined
}

/** With `effects: 'once'`. */
export type OnceOptions = {
  def: HandlerDef
  /** Of the message being handled. */
  payload: Uint8Array
  /** It may have been handled before. */
  isRepeat: boolean
  /** An earlier run's outputs are stored. */
  onRepeated: () => void
}

const PUBLISH_MS = 30_000

/** Collects a handler's outputs; nothing leaves before the handler has returned. */
export function outputs(options: OutputsOptions): Outputs {
  const collected: { contract: AnyContract; encoded: Maybe<Encoded>; how: How }[] = []
  return {
    add(contract, data, how) {
      checkPublish(contract, how)
      const delay = readDelay(contract.type, how)
      // What comes later waits in another stream, so no batch can hold it.
      if (options.once && !delay) {
        const others = collected.filter((one) => !one.how.delay)
        checkOnceOutput(options.once.def, contract, others)
      }
      const encoded = encodeEvent(contract, data)
      // Awaited in send(); until then a refusal must not count as unhandled.
      if (encoded instanceof Promise) encoded.catch(() => undefined)
      collected.push({ contract, encoded, how: { once: how.once ?? false, priority: how.priority ?? 'normal', delay } })
    },
    forget() {
      collected.length = 0
    },
    async withhold() {
      await Promise.all(collected.map(({ encoded }) => Promise.resolve(encoded)))
      const counts: Record<string, number> = {}
      for (const { contract } of collected) counts[contract.type] = (counts[contract.type] ?? 0) + 1
      return counts
    },
    async send() {
      if (collected.length === 0) return
      const encoded = collected.map((one) => one.encoded)
      const ready = encoded.every(isReady) ? encoded : await Promise.all(encoded.map((one) => Promise.resolve(one)))
      const outs = numbered(ready.map((one, n) => ({ ...one, ...collected[n]!.how })))
      if (options.once) return await sendOnce(options, options.once, outs)
      if (outs.length === 1) return await sendOne(options, outs[0]!)
      const results = await Promise.allSettled(outs.map((output) => sendOne(options, output)))
      const failed = results.find((result) => result.status === 'rejected')
      if (failed) throw failed.reason
    },
  }
}

const isReady = (encoded: Maybe<Encoded>): encoded is Encoded => !(encoded instanceof Promise)

type How = Required<Pick<OutputOptions, 'once' | 'priority'>> & { delay: Delay | undefined }
type Output = Encoded &
  How & {
    /** The n-th of its type and key, from 0. */
    index: number
    /** There is no other of its type and key. */
    isOnly: boolean
  }

function numbered(outputs: (Encoded & How)[]): Output[] {
  // Most handlers publish one.
  if (outputs.length === 1) return [{ ...outputs[0]!, index: 0, isOnly: true }]
  const counts = new Map<string, number>()
  const slotOf = ({ contract, key }: Encoded): string => JSON.stringify([contract.type, key])
  const indexed = outputs.map((output) => {
    const slot = slotOf(output)
    const index = counts.get(slot) ?? 0
    counts.set(slot, index + 1)
    return { ...output, index }
  })
  return indexed.map((output) => ({ ...output, isOnly: counts.get(slotOf(output)) === 1 }))
}

function outgoing(options: OutputsOptions, { contract, payload, key, once, priority, delay, index }: Output): Outgoing {
  const { cause, service, handler, names } = options
  return {
    envelope: newEnvelope(contract, {
      id: derivedId({ from: cause.id, service, handler, type: contract.type, key, index }),
      from: service,
      key,
      correlationId: cause.correlationId,
      causationId: cause.id,
    }),
    subject: names.subject(subjectOf(contract, key, priority)),
    stream: names.stream(contract.stream),
    payload,
    once,
    timeoutMs: PUBLISH_MS,
    headers: [],
    traceparent: options.traceparent,
    delay,
  }
}

/**
 * What comes later waits in another stream, which no batch can hold too. It goes first, under ids that make a repeat add
 * nothing: after the batch, a crash would lose it. A message without other outputs needs no marker.
 */
async function sendOnce(options: OutputsOptions, once: OnceOptions, outputs: readonly Output[]): Promise<void> {
  const { deps, names, service, handler, cause } = options
  const delayed = outputs.filter(({ delay }) => delay)
  const outs = outputs.filter(({ delay }) => !delay).map((output) => outgoing(options, output))
  const first = outputs.find(({ delay }) => !delay)
  const of = first && {
    marker: names.doneMarker(first.contract.stream, { service, handler, id: cause.id }),
    stream: names.stream(first.contract.stream),
    ttlMs: markerTtlMs(once.def),
    cause,
    payload: once.payload,
  }
  // A look costs a fraction of a batch that is refused. What comes later is not in the batch, and a run before this one may
  // be unknown here: a consumer that was made anew counts deliveries from 1.
  if (of && (once.isRepeat || delayed.length > 0) && (await isDone(deps, of))) {
    once.onRepeated()
    return
  }
  await Promise.all(delayed.map((output) => sendOne(options, output)))
  if (of && !(await publishOnce(deps, of, outs))) once.onRepeated()
}

async function sendOne(options: OutputsOptions, output: Output): Promise<void> {
  const { once, isOnly } = output
  try {
    await publishEvent(options.deps, outgoing(options, output))
  } catch (error) {
    // `once` in a handler asks that the event be there, not that it be ours.
    if (once && error instanceof MeshError && error.code === 'MESH_ONCE_CONFLICT') return
    // An earlier run of this handler said it in other words (a partner answered differently): what is stored stands. Of
    // several of one type and key it may be another one that is stored, so there it stays an error.
    if (isOnly && error instanceof IdConflict && error.isRetold) return
    throw error
  }
}
