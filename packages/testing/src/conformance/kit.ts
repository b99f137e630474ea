import assert from 'node:assert/strict'
import {
  type Contract,
  event,
  type HandlerContext,
  hours,
  type Mesh,
  type MeshErrorCode,
  retry,
  type RetryPolicy,
  stream,
  type StreamDef,
} from '@malha/mesh'
import {
  type ConsumerInfo,
  jetstream,
  JetStreamApiError,
  JetStreamError,
  jetstreamManager,
  type JetStreamManager,
} from '@nats-io/jetstream'
import { headers, type MsgHdrs } from '@nats-io/transport-node'
import { z } from 'zod'
import { eventually } from '../eventually.ts'
import { untilSettled } from '../until-settled.ts'
import type { ConformanceEnv } from './case.ts'

/** The contracts most cases speak. */
export const orders: StreamDef = stream('ORDERS', {
  subjects: ['order.>'],
  maxAgeMs: hours(1),
  maxBytes: 64 * 1024 ** 2,
})
export const Order: z.ZodObject<{ orderId: z.ZodString; n: z.ZodNumber }> = z.object({
  orderId: z.string(),
  n: z.number().int(),
})
export type Order = z.infer<typeof Order>
export const placed: Contract<Order> = event('order.placed', {
  stream: orders,
  schema: Order,
  key: (order) => order.orderId,
})
export const billed: Contract<Order> = event('order.billed', {
  stream: orders,
  schema: Order,
  key: (order) => order.orderId,
})
export const shipped: Contract<Order> = event('order.shipped', {
  stream: orders,
  schema: Order,
  key: (order) => order.orderId,
})

/** Retries within a test's patience. */
export const briefly: RetryPolicy = retry({ attempts: 5, minDelayMs: 50, maxDelayMs: 400 })

/** The n-th order. */
export const order = (n: number): Order => ({ orderId: `o${n}`, n })

/** Publishes orders `from` to `to` (exclusive) with the ids `<prefix><n>`, all at once. */
export async function publishOrders(mesh: Mesh, from: number, to: number, prefix = 'p'): Promise<void> {
  const numbers = Array.from({ length: to - from }, (_, index) => from + index)
  await Promise.all(numbers.map((n) => mesh.publish(placed, order(n), { id: `${prefix}${n}` })))
}

/** One call of a handler. */
export type Call = { id: string; type: string; attempt: number; key: string | undefined; data: unknown; at: number }

/** Keeps the calls of handlers. */
export type Recorder = {
  readonly calls: Call[]
  readonly note: (data: unknown, ctx: HandlerContext) => Call
  /** The ids in the order of their calls. */
  readonly ids: () => string[]
}

export function recorder(): Recorder {
  const calls: Call[] = []
  return {
    calls,
    note(data, { id, type, attempt, key }) {
      const call: Call = { id, type, attempt, key, data, at: performance.now() }
      calls.push(call)
      return call
    },
    ids: () => calls.map(({ id }) => id),
  }
}

/** A message as the server keeps it; header names in lower case. */
export type Kept = { subject: string; seq: number; headers: Record<string, string>; data: Buffer }

/** Everything in a stream of the case's namespace, oldest first. */
export async function kept(env: ConformanceEnv, name: string, namespace: string = env.namespace): Promise<Kept[]> {
  const stream = `${namespace}_${name}`
  const { config, state } = await (await manager(env)).streams.info(stream)
  if (state.messages === 0) return []
  // A work queue lets nobody look but its own consumers.
  return config.retention === 'workqueue' ? keptOneByOne(env, stream, state) : keptInOrder(env, stream, state)
}

/**
 * By one pull with an end: the client's own endless one stands still for half a minute where a leader is just elected. What
 * the pull did not bring, because nobody led yet, is asked for one by one.
 */
async function keptInOrder(env: ConformanceEnv, stream: string, state: Sequences): Promise<Kept[]> {
  const messages: Kept[] = []
  try {
    const consumer = await jetstream(env.nats).consumers.get(stream)
    const pull = { max_messages: state.last_seq - state.first_seq + 1, expires: 2000 }
    for await (const { subject, seq, headers, data, info } of await consumer.fetch(pull)) {
      messages.push({ subject, seq, headers: lowered(headers), data: Buffer.from(data) })
      if (seq >= state.last_seq || info.pending === 0) break
    }
    await consumer.delete()
  } catch (error) {
    if (!(error instanceof JetStreamError)) throw error
  }
  return (messages.at(-1)?.seq ?? 0) >= state.last_seq ? messages : keptOneByOne(env, stream, state)
}

type Sequences = { first_seq: number; last_seq: number }

async function keptOneByOne(env: ConformanceEnv, stream: string, { first_seq, last_seq }: Sequences): Promise<Kept[]> {
  const jsm = await manager(env)
  const messages: Kept[] = []
  for (let seq = first_seq; seq <= last_seq; seq += 1) {
    const found = await jsm.streams.getMessage(stream, { seq })
    if (!found) continue
    const { subject, header, data } = found
    messages.push({ subject, seq, headers: lowered(header), data: Buffer.from(data) })
  }
  return messages
}

function lowered(headers: MsgHdrs | undefined): Record<string, string> {
  return Object.fromEntries([...(headers ?? [])].map(([name, values]) => [name.toLowerCase(), values[0] ?? '']))
}

/** Those of one type. */
export async function keptOfType(env: ConformanceEnv, name: string, type: string): Promise<Kept[]> {
  return (await kept(env, name)).filter(({ headers }) => headers['ce-type'] === type)
}

/** The dead letters, once there are `count`, and after `durable` has nothing more to say. */
export async function deadLetters(env: ConformanceEnv, count: number, durable?: string): Promise<Kept[]> {
  await eventually(async () =>
    assert.equal((await kept(env, 'DEAD_LETTERS')).length >= count, true, 'no dead letter yet'),
  )
  if (durable) await settled(env, 'ORDERS', durable)
  const letters = await kept(env, 'DEAD_LETTERS')
  assert.equal(
    letters.length,
    count,
    `${count} dead letters; there are ${letters.map(({ subject }) => subject).join(', ')}`,
  )
  return letters
}

/** Waits until the durable of a handler, named as `consumer` takes it, has nothing more to do. */
export async function settled(env: ConformanceEnv, name: string, durable: string): Promise<ConsumerInfo> {
  const { stream_name: stream, name: found } = await eventually(() => consumer(env, name, durable))
  return untilSettled(env.nats, stream, found)
}

/** The durable of a handler of the case's namespace, by the names without the namespace: that of keyed events where it has one. */
export async function consumer(env: ConformanceEnv, name: string, durable: string): Promise<ConsumerInfo> {
  const jsm = await manager(env)
  const [stream, main] = [`${env.namespace}_${name}`, `${env.namespace}_${durable}`]
  return jsm.consumers.info(stream, `${main}_keyed`).catch((error: unknown) => {
    // Of one that only cannot be asked just now the other would be told, which has nothing to do.
    if (error instanceof JetStreamApiError && error.status === 404) return jsm.consumers.info(stream, main)
    throw error
  })
}

/** JetStream's management, on the admin connection. */
export function manager(env: ConformanceEnv): Promise<JetStreamManager> {
  return jetstreamManager(env.nats, { timeout: 10_000 })
}

/** Publishes as a client would that imports nothing of the mesh. Resolves when it is stored. */
export async function publishRaw(
  env: ConformanceEnv,
  subject: string,
  payload: string | Uint8Array,
  values: Record<string, string> = {},
): Promise<void> {
  const block = headers()
  for (const [name, value] of Object.entries(values)) block.set(name, value)
  const answer = await env.nats.request(`${env.namespace}.${subject}`, payload, { headers: block, timeout: 5_000 })
  const { error } = answer.json<{ error?: { description: string } }>()
  if (error) throw new Error(`${subject} was not stored: ${error.description}`)
}

/** The headers of a well-formed event. */
export function cloudEvent(id: string, type: string, version = 1): Record<string, string> {
  return {
    'ce-specversion': '1.0',
    'ce-id': id,
    'ce-type': type,
    'ce-source': '/plain-client',
    'ce-time': new Date().toISOString(),
    'ce-dataschema': `${type}/${version}`,
    'content-type': 'application/json',
  }
}

/** Fails unless the promise is rejected with an error of that code, which is returned. */
export async function refused(promised: Promise<unknown>, code: MeshErrorCode): Promise<Error> {
  try {
    await promised
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === code) return error
    throw new assert.AssertionError({ message: `${code} expected, it is ${String(error)}` })
  }
  throw new assert.AssertionError({ message: `${code} expected, nothing was thrown` })
}

/** Each id once, in any order. */
export function eachOnce(ids: readonly string[], expected: readonly string[]): void {
  assert.deepEqual([...ids].sort(), [...expected].sort())
}

/** `p0` to `p<count - 1>`. */
export function idsTo(count: number, prefix = 'p'): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}${n}`)
}
