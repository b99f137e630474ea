import { context } from '@opentelemetry/api'
import { connectBench, provisionOrders, storeOrders } from './orders.ts'
import type { Place } from './scenario.ts'
import { carryTraceContext } from './trace-context.ts'

/** Prepares a case that publishes. */
export async function anEmptyStream({ broker, case: { replicas } }: Place): Promise<undefined> {
  await using mesh = await connectBench(broker.url, replicas)
  await provisionOrders(mesh)
}

/** Prepares a case that handles: as many orders as a round takes, stored by the mesh, for all variants to read. */
export async function aFilledStream({ broker, case: of, messages }: Place): Promise<undefined> {
  const inTrace = carryTraceContext()
  await using mesh = await connectBench(broker.url, of.replicas)
  await provisionOrders(mesh)
  await context.with(inTrace, () => storeOrders(mesh, { count: messages, bytes: of.payloadBytes }))
}
