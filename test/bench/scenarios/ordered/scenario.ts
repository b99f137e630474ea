import { connectBench } from '../../orders.ts'
import type { Scenario } from '../../scenario.ts'
import { storeMoves } from './moves.ts'

export const scenario: Scenario = {
  title: 'Handle stored events in the order of their 10,000 keys, 8 partitions; the twin has one in flight a partition',
  message: 'one stored event handled and acked, 5 ms each as a call to a partner takes',
  variants: { mesh: ['mesh.ts'], one: ['one.ts'] },
  cases: [
    { payloadBytes: 128, replicas: 1, settings: { workMs: 5 } },
    // What there is to gain is what runs side by side: here there is nothing.
    {
      suffix: 'at-once',
      payloadBytes: 128,
      replicas: 1,
      settings: { workMs: 0 },
      messages: { full: 40_000 },
      floor: {},
      goal: {},
    },
    { suffix: 'R3', payloadBytes: 128, replicas: 3, settings: { workMs: 5 } },
  ],
  messages: { quick: 800, full: 15_000 },
  floor: { ratioToOne: 3 },
  goal: { ratioToOne: 6 },
  async prepare({ broker, case: { replicas, payloadBytes }, messages }) {
    await using mesh = await connectBench(broker.url, replicas)
    await storeMoves(mesh, { count: messages, bytes: payloadBytes })
    return undefined
  },
}
