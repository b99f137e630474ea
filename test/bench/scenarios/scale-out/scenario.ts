import { connectBench, provisionOrders, storeOrders } from '../../orders.ts'
import type { PartRound } from '../../protocol.ts'
import type { Figures, Scenario } from '../../scenario.ts'

export const scenario: Scenario = {
  title: 'Four processes share a work queue, 16 at a time each, of work that waits 5 ms; the twin is one process',
  message: 'one stored event handled and acked',
  variants: { mesh: ['worker.ts', 'worker.ts', 'worker.ts', 'worker.ts'], one: ['worker.ts'] },
  cases: [{ payloadBytes: 128, replicas: 1 }],
  messages: { quick: 1600, full: 24_000 },
  floor: { ratioToOne: 3.4, offShare: 0.15 },
  goal: { ratioToOne: 3.8, offShare: 0.15 },
  async prepare({ broker, case: { replicas, payloadBytes }, messages }) {
    await using mesh = await connectBench(broker.url, replicas)
    await provisionOrders(mesh)
    await storeOrders(mesh, { count: messages, bytes: payloadBytes })
    return undefined
  },
  figures: (parts) => ({ offShare: offShare(parts) }),
}

/** How far the process with the most uneven part of the work is off its fair share, as a part of that share. */
function offShare(parts: readonly PartRound[]): Figures[string] {
  const share = parts.reduce((sum, { messages }) => sum + messages, 0) / parts.length
  return Math.max(...parts.map(({ messages }) => Math.abs(messages / share - 1)))
}
