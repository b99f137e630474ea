import { connect, type NatsConnection } from '@nats-io/transport-node'
import { NAMESPACE } from '../orders.ts'

/** Names on the server of what the mesh calls ORDERS and order.placed. */
export const ORDERS_STREAM = `${NAMESPACE}_ORDERS`
export const ORDER_SUBJECT = `${NAMESPACE}.order.placed`

/** As an expert connects: no stack trace for every request. */
export const connectPlain = (servers: string): Promise<NatsConnection> =>
  connect({ servers: servers.split(','), noAsyncTraces: true, maxReconnectAttempts: -1 })
