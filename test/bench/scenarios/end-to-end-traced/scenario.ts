import { freePorts } from '@malha/stack'
import { anEmptyStream } from '../../orders-stream.ts'
import { usualRound } from '../../round.ts'
import type { Round, Scenario, Turn } from '../../scenario.ts'

export const scenario: Scenario = {
  title:
    'The same with spans of every sampled event sent to a collector, which counts them; the plain client is not traced',
  message: 'one event published, stored, handled and acked, its spans sent',
  variants: {
    mesh: ['mesh-publisher.ts', 'mesh-consumer.ts', 'sink.ts'],
    plain: ['../end-to-end/plain-publisher.ts', '../end-to-end/plain-consumer.ts'],
  },
  cases: [
    { payloadBytes: 128, replicas: 1, settings: { sampling: 0.1 } },
    {
      suffix: 'at-100-percent',
      payloadBytes: 128,
      replicas: 1,
      settings: { sampling: 1 },
      floor: { lostSpans: 0 },
      goal: { lostSpans: 0, ratioToPlain: 0.6 },
    },
  ],
  // Half a minute: a queue that only just does not keep up shows late.
  messages: { full: 300_000 },
  rounds: 5,
  floor: { lostSpans: 0, ratioToPlain: 1 },
  goal: { lostSpans: 0, ratioToPlain: 1 },
  async prepare(place) {
    await anEmptyStream(place)
    const [collectorPort] = await freePorts(1)
    return { collectorPort }
  },
  round: countingSpans,
}

/** What the collector got is counted when the others have stood still for as long as it takes. */
async function countingSpans(turn: Turn): Promise<Round> {
  const [publisher, consumer, sink] = turn.parts
  if (sink === undefined) return await usualRound(turn)
  await sink.prepare(turn.round)
  const { figures, parts } = await usualRound({ ...turn, parts: [publisher!, consumer!] })
  const counted = await sink.run(turn.round)
  return { figures: { ...figures, ...counted.figures }, parts }
}
