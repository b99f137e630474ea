import { createHistogram } from 'node:perf_hooks'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { monotonicUs } from '../measure.ts'
import { orderOf } from '../orders.ts'
import type { Settings, Setup } from '../protocol.ts'
import type { Publisher, Side } from '../sides/side.ts'
import type { Variant } from '../variant.ts'
import { windowed } from '../windowed.ts'

/** What a round is given: so many orders, at this rate or as fast as may be. */
type Load = { count: number; perSecond?: number }

const loadOf = (given: Settings): Load => given as Load

/**
 * Publishes on a schedule, whatever became of those before: no answer is waited for. An order says when it was due and not when
 * it was sent, so what a sender that lags behind makes others wait is counted (no coordinated omission).
 */
export function publishOnSchedule(side: Side): (setup: Setup) => Promise<Variant> {
  return async (setup) => {
    const publisher = await side.publisher(setup)
    const order = orderOf(setup.payloadBytes)
    return {
      prepare: () => publisher.purge(),
      async run(_round, _begin, given) {
        const { count, perSecond } = loadOf(given)
        const publish = (n: number, dueUs: number): Promise<unknown> => publisher.publish(order(n, dueUs))
        await publisher.inContext(() =>
          perSecond === undefined
            ? windowed(count, 1024, (n) => publish(n, monotonicUs()))
            : onSchedule({ count, perSecond }, publish),
        )
        return { messages: 0 }
      },
      close: () => publisher.close(),
    }
  }
}

/** Handles what is published on a schedule and times each order, from when it was due to when its handler began. */
export function timeEachOrder(side: Side): (setup: Setup) => Promise<Variant> {
  return async (setup) => {
    const consumer = await side.consumer(setup)
    let latency = createHistogram()
    let handled = 0
    let onHandled = (): void => undefined
    return {
      async prepare(round) {
        latency = createHistogram()
        handled = 0
        await consumer.prepare(round)
        await consumer.start(round, ({ placedAtUs }) => {
          latency.record(Math.max(1, (monotonicUs() - placedAtUs) * 1000))
          handled++
          onHandled()
        })
      },
      async run(_round, _begin, given) {
        const { count } = loadOf(given)
        await new Promise<void>((resolve) => {
          onHandled = () => void (handled === count && resolve())
          onHandled()
        })
        await consumer.flush()
        return { messages: count, latency }
      },
      clean: (round) => consumer.finish(round, handled),
      close: () => consumer.close(),
    }
  }
}

/** A sender that is this much behind lets answers in before it goes on. */
const TURN = 128

async function onSchedule(
  { count, perSecond }: Required<Load>,
  send: (n: number, dueUs: number) => ReturnType<Publisher['publish']>,
): Promise<void> {
  const everyUs = 1e6 / perSecond
  const beginUs = monotonicUs() + 1000
  const sent: Promise<unknown>[] = []
  for (let n = 0; n < count; n++) {
    const dueUs = Math.round(beginUs + n * everyUs)
    await until(dueUs, everyUs)
    sent.push(send(n, dueUs))
    if (n % TURN === TURN - 1) await setImmediate()
  }
  await Promise.all(sent)
}

/**
 * A timer is up to a ms late. Where that is less than an order's turn, the last of it is spent asking the clock; at higher rates
 * those that fall due within a ms go out together.
 */
async function until(dueUs: number, everyUs: number): Promise<void> {
  for (let leftUs = dueUs - monotonicUs(); leftUs > 0; leftUs = dueUs - monotonicUs()) {
    if (leftUs > 2000) await setTimeout(Math.floor(leftUs / 1000) - 1)
    else if (everyUs < 1000) await setTimeout(1)
    else await setImmediate()
  }
}
