import { createHistogram } from 'node:perf_hooks'
import { orderOf } from '../orders.ts'
import type { Setup } from '../protocol.ts'
import type { Side } from '../sides/side.ts'
import type { Variant } from '../variant.ts'
import { monotonicUs } from '../measure.ts'
import { windowed } from '../windowed.ts'

const WINDOW = 1024

type Open = (setup: Setup) => Promise<Variant>

/** Publishes so many orders as fast as it can, 1024 in flight. */
export function publishInBulk(side: Side): Open {
  return async (setup) => {
    const { messages, payloadBytes } = setup
    const publisher = await side.publisher(setup)
    const order = orderOf(payloadBytes)
    return {
      prepare: () => publisher.purge(),
      async run() {
        const latency = createHistogram()
        await publisher.inContext(() => windowed(messages, WINDOW, (n) => publisher.publish(order(n)), latency))
        return { messages, latency }
      },
      close: () => publisher.close(),
    }
  }
}

/** Handles so many orders that are stored, from the first delivery on. */
export function consumeInBulk(side: Side): Open {
  return async (setup) => {
    const { messages } = setup
    const consumer = await side.consumer(setup)
    return {
      prepare: (round) => consumer.prepare(round),
      async run(round, begin) {
        const done = Promise.withResolvers<void>()
        let handled = 0
        await consumer.start(round, () => {
          if (++handled === 1) begin()
          if (handled === messages) done.resolve()
        })
        await done.promise
        await consumer.flush()
        return { messages }
      },
      clean: (round) => consumer.finish(round, messages),
      close: () => consumer.close(),
    }
  }
}

/** The publishing process of both ends at once; orders are counted where they arrive. */
export function publishToConsumer(side: Side): Open {
  return async (setup) => {
    const { messages, payloadBytes } = setup
    const publisher = await side.publisher(setup)
    const order = orderOf(payloadBytes)
    return {
      prepare: () => publisher.purge(),
      async run() {
        await publisher.inContext(() => windowed(messages, WINDOW, (n) => publisher.publish(order(n, monotonicUs()))))
        return { messages: 0 }
      },
      close: () => publisher.close(),
    }
  }
}

/** The handling process of both ends at once. It waits for orders before the round begins. */
export function consumeFromPublisher(side: Side): Open {
  return async (setup) => {
    const { messages } = setup
    const consumer = await side.consumer(setup)
    let round: { done: PromiseWithResolvers<void>; latency: ReturnType<typeof createHistogram> }
    return {
      async prepare(number) {
        const done = Promise.withResolvers<void>()
        const latency = createHistogram()
        let handled = 0
        round = { done, latency }
        await consumer.prepare(number)
        await consumer.start(number, ({ placedAtUs }) => {
          if (handled % 16 === 0) latency.record(Math.max(1, Math.round((monotonicUs() - placedAtUs) * 1000)))
          if (++handled === messages) done.resolve()
        })
      },
      async run() {
        await round.done.promise
        await consumer.flush()
        return { messages, latency: round.latency }
      },
      clean: (number) => consumer.finish(number, messages),
      close: () => consumer.close(),
    }
  }
}
