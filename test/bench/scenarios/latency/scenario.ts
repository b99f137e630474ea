import type { Broker } from '../../broker.ts'
import { anEmptyStream } from '../../orders-stream.ts'
import { usualRound } from '../../round.ts'
import type { Round, Scenario, Turn } from '../../scenario.ts'

/** As fast as may be, to warm up, and again to see how fast that is. */
const BULK = 5000
/** Of a round at a share of the capacity. */
const SHARE_SECONDS = 3

/** By case: of the variant that has least, so that all are asked for the same. */
const capacities = new WeakMap<Broker, number>()

export const scenario: Scenario = {
  title: 'From when an event is due to when its handler begins, sender and handler a process each, at a steady rate',
  message: 'one event published on schedule and handled',
  variants: {
    mesh: ['mesh-publisher.ts', 'mesh-consumer.ts'],
    plain: ['plain-publisher.ts', 'plain-consumer.ts'],
    lean: ['lean-publisher.ts', 'lean-consumer.ts'],
  },
  cases: [
    { payloadBytes: 128, replicas: 1, settings: { perSecond: 200 } },
    { suffix: 'at-60-percent', payloadBytes: 128, replicas: 1, settings: { share: 0.6 } },
    { suffix: 'R3', payloadBytes: 128, replicas: 3, settings: { perSecond: 200 } },
  ],
  messages: { quick: 50, full: 600 },
  ratioOf: 'p50Ms',
  floor: { p50ToLean: 1.4, meanMs: 10 },
  goal: { p50ToLean: 1.15, meanMs: 10 },
  prepare: anEmptyStream,
  round: atSteadyRate,
}

async function atSteadyRate(turn: Turn): Promise<Round> {
  if (turn.round === 0) {
    await usualRound({ ...turn, round: -1 }, { count: BULK })
    const { figures, parts } = await usualRound(turn, { count: BULK })
    capacities.set(turn.broker, Math.min(figures['rate']!, capacities.get(turn.broker) ?? Infinity))
    return { figures, parts }
  }
  const { perSecond, share } = turn.settings as { perSecond?: number; share?: number }
  if (perSecond !== undefined) return await usualRound(turn, { count: turn.messages, perSecond })
  const capacity = capacities.get(turn.broker)!
  const rate = Math.round(capacity * share!)
  const { figures, parts } = await usualRound(turn, { count: rate * SHARE_SECONDS, perSecond: rate })
  return { figures: { ...figures, capacity }, parts }
}
