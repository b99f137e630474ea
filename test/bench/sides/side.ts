import type { Order } from '../orders.ts'
import type { Setup } from '../protocol.ts'

/** One that stores orders, whatever it is made of. */
export interface Publisher {
  /** Resolves when the order is stored. */
  publish(order: Order): Promise<unknown>
  /** Runs work in the context a service publishes in. */
  inContext<T>(work: () => Promise<T>): Promise<T>
  /** Empties the stream. */
  purge(): Promise<void>
  close(): Promise<void>
}

/** One that handles the orders of the stream and acks each. */
export interface Consumer {
  /** Makes what can be made before the first message is asked for. */
  prepare(round: number): Promise<void>
  /** Handles all there is, and what comes, from the first order on. */
  start(round: number, onOrder: (order: Order) => void): Promise<void>
  /** Resolves when the acks given so far are with the server. */
  flush(): Promise<void>
  /** Stops. @throws Error unless this many were acked and none is left */
  finish(round: number, messages: number): Promise<void>
  close(): Promise<void>
}

/** The mesh, or a twin of it: both ends of the same work. */
export type Side = {
  publisher(setup: Setup): Promise<Publisher>
  consumer(setup: Setup): Promise<Consumer>
}
