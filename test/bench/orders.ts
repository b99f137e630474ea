import { connectMesh, defineService, event, type Mesh, stream } from '@malha/mesh'
import { windowed } from './windowed.ts'

/** What the benchmark's messages are: orders, of one length. `placedAtUs` is on the clock that all processes share. */
export type Order = { orderId: string; customerId: string; placedAtUs: number; amountCents: number; note: string }

/** One for all variants, so that all write and read the same stream under the same names. */
export const NAMESPACE = 'bench'
/** What messages say they come from. */
export const SOURCE = 'bench'

export const orders = stream('ORDERS', { subjects: ['order.>'], maxBytes: 4 * 1024 ** 3 })

/** The cheapest schema there is: it believes. What a real one costs is a scenario of its own. */
export const believed = {
  '~standard': { version: 1, vendor: 'bench', validate: (value: unknown) => ({ value: value as Order }) },
} as const

export const orderPlaced = event<Order>('order.placed', { stream: orders, schema: believed })

/** Where the time does not matter: as long as the clock of a machine that has been up for a day. */
const SOME_TIME_US = 100_000_000_000

/** Makes orders whose JSON has `bytes` bytes; one digit less or more where the time is of another length. */
export function orderOf(bytes: number): (n: number, placedAtUs?: number) => Order {
  const order = (n: number, placedAtUs: number, note: string): Order => ({
    orderId: `o-${String(n).padStart(9, '0')}`,
    customerId: `c-${String(n % 9973).padStart(6, '0')}`,
    placedAtUs,
    amountCents: 10_000 + (n % 89_999),
    note,
  })
  const note = 'n'.repeat(Math.max(0, bytes - JSON.stringify(order(0, SOME_TIME_US, '')).length))
  return (n, placedAtUs = SOME_TIME_US) => order(n, placedAtUs, note)
}

/** A mesh connection of the benchmark. */
export const connectBench = (servers: string, replicas: 1 | 3): Promise<Mesh> =>
  connectMesh({ servers, name: SOURCE, namespace: NAMESPACE, replicas })

/** Makes the stream of orders as the mesh makes it; all variants use that. */
export async function provisionOrders(mesh: Mesh): Promise<void> {
  await mesh.provision(defineService('bench', { handlers: {}, publishes: [orderPlaced] }))
}

/** Stores orders as the mesh stores them, nobody's time being taken. */
export async function storeOrders(mesh: Mesh, { count, bytes }: { count: number; bytes: number }): Promise<void> {
  const order = orderOf(bytes)
  await windowed(count, 1024, (n) => mesh.publish(orderPlaced, order(n)))
}
