import { type Contract, event, type Mesh, stream, type StreamDef } from '@malha/mesh'
import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { windowed } from '../bench/windowed.ts'
import { orderOf } from './payloads.ts'

export type Order = { orderId: string }

/** Names of common length: what the constants say of an event is of such names. */
export const orders: StreamDef = stream('ORDERS', { subjects: ['order.>'], maxBytes: 64 * 1024 ** 3 })
/** It believes: what is stored is what counts. */
const schema = {
  '~standard': { version: 1, vendor: 'capacity', validate: (value: unknown) => ({ value: value as Order }) },
} as const
export const orderPlaced: Contract<Order> = event('order.placed', { stream: orders, schema })
/** Its keys have 12 characters. */
export const orderBilled: Contract<Order> = event('order.billed', {
  stream: orders,
  schema,
  key: ({ orderId }) => orderId,
})

export type Kind = { readonly keyed: boolean; readonly traced: boolean }
export type Published = Kind & { readonly bytes: number; readonly count: number }

/** Publishes so many events of so many bytes each, 1024 at a time. */
export async function publishOrders(mesh: Mesh, { keyed, traced, bytes, count }: Published): Promise<void> {
  const order = orderOf(bytes)
  const contract = keyed ? orderBilled : orderPlaced
  const publish = async (n: number): Promise<unknown> => mesh.publish(contract, order(n))
  await windowed(count, 1024, traced ? (n) => context.with(aTrace(), () => publish(n)) : publish)
}

/** As in a service with telemetry, where each event begins a trace of its own. */
const aTrace = (): ReturnType<typeof trace.setSpanContext> =>
  trace.setSpanContext(ROOT_CONTEXT, { traceId: hex(32), spanId: hex(16), traceFlags: 1 })

const hex = (digits: number): string => Buffer.from(crypto.getRandomValues(new Uint8Array(digits / 2))).toString('hex')

/** Switches trace context on in this process, without an SDK, until it is disposed of. */
export function tracing(): Disposable {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  return {
    [Symbol.dispose]() {
      context.disable()
      propagation.disable()
    },
  }
}
