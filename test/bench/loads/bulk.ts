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
export const publishInBulk = (side: Side): Open =>
  publishing(side, async ({ messages }, publish) => {
    const latency = createHistogram()
    await windowed(messages, WINDOW, (n) => publish(n), latency)
    return { messages, latency }
  })

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
export const publishToConsumer = (side: Side): Open =>
  publishing(side, async ({ messages }, publish) => {
    await windowed(messages, WINDOW, (n) => publish(n, monotonicUs()))
    return { messages: 0 }
  })

type Publishing = (
  setup: Setup,
  publish: (n: number, placedAtUs?: number) => Promise<unknown>,
) => ReturnType<Variant['run']>

function publishing(side: Side, run: Publishing): Open {
  return async (setup) => {
    const publisher = await side.publisher(setup)
    const order = orderOf(setup.payloadBytes)
    return {
      prepare: () => publisher.purge(),
      run: () => publisher.inContext(() => run(setup, (n, placedAtUs) => publisher.publish(order(n, placedAtUs)))),
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
