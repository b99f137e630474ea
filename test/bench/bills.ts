import { defineService, event, type Mesh, stream } from '@malha/mesh'
import type { JetStreamManager } from '@nats-io/jetstream'
import { believed, NAMESPACE, type Order } from './orders.ts'

/** Where handlers of orders publish what came of them: another stream, so that they do not meet it. */
const bills = stream('BILLS', { subjects: ['bill.>'] })

export const billIssued = event<Order>('bill.issued', { stream: bills, schema: believed })

/** Names on the server. */
const BILLS_STREAM = `${NAMESPACE}_BILLS`
export const BILL_SUBJECT = `${NAMESPACE}.bill.issued`

/** Makes the stream of bills as the mesh makes it. */
export async function provisionBills(mesh: Mesh): Promise<void> {
  await mesh.provision(defineService('bench', { handlers: {}, publishes: [billIssued] }))
}

export async function purgeBills(jsm: JetStreamManager): Promise<void> {
  await jsm.streams.purge(BILLS_STREAM)
}

/** A round in which not each order was billed once did not do its work. @throws Error */
export async function checkBills(jsm: JetStreamManager, expected: number): Promise<void> {
  const { state } = await jsm.streams.info(BILLS_STREAM)
  if (state.messages !== expected) throw new Error(`${BILLS_STREAM} holds ${state.messages} messages, not ${expected}`)
}
