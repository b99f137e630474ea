import { anEmptyStream } from '../../orders-stream.ts'
import type { Scenario } from '../../scenario.ts'

export const scenario: Scenario = {
  title: 'One process publishes in bulk while another handles, everything on but an SDK',
  message: 'one event published, stored, handled and acked',
  variants: {
    mesh: ['mesh-publisher.ts', 'mesh-consumer.ts'],
    plain: ['plain-publisher.ts', 'plain-consumer.ts'],
    lean: ['lean-publisher.ts', 'lean-consumer.ts'],
  },
  cases: [
    { payloadBytes: 128, replicas: 1 },
    { suffix: '1KiB', payloadBytes: 1024, replicas: 1 },
    { suffix: 'R3', payloadBytes: 128, replicas: 3, goal: { ratioToPlain: 2, ratioToLean: 0.8 } },
  ],
  messages: { quick: 8000, full: 60_000 },
  floor: { ratioToPlain: 1.5 },
  goal: { ratioToPlain: 2, ratioToLean: 0.8, rate: 50_000 },
  prepare: anEmptyStream,
}
