import { provisionBills } from '../../bills.ts'
import { connectBench } from '../../orders.ts'
import { aFilledStream } from '../../orders-stream.ts'
import type { Scenario } from '../../scenario.ts'

export const scenario: Scenario = {
  title: 'Handle stored events with a handler that publishes one event; beside handling and publishing alone',
  message: 'one stored event handled, an event published and stored for it, then acked',
  variants: { mesh: ['mesh.ts'], plain: ['plain.ts'], consume: ['../consume/mesh.ts'], publish: ['publish.ts'] },
  cases: [
    { payloadBytes: 128, replicas: 1 },
    { suffix: 'R3', payloadBytes: 128, replicas: 3 },
  ],
  messages: { quick: 3000, full: 40_000 },
  floor: { ratioToApart: 0.7 },
  goal: { ratioToApart: 0.85 },
  async prepare(place) {
    await aFilledStream(place)
    await using mesh = await connectBench(place.broker.url, place.case.replicas)
    await provisionBills(mesh)
    return undefined
  },
  /** Apart: all are handled, and then as many are published. */
  derive({ mesh, consume, publish }) {
    return { ratioToApart: mesh!['rate']! * (1 / consume!['rate']! + 1 / publish!['rate']!) }
  },
}
