import { anEmptyStream } from '../../orders-stream.ts'
import type { Scenario } from '../../scenario.ts'

export const scenario: Scenario = {
  title: 'Publish in bulk, 1024 in flight, with message ids and trace context',
  message: 'one event stored, its PubAck received',
  variants: { mesh: ['mesh.ts'], plain: ['plain.ts'], lean: ['lean.ts'] },
  cases: [
    { payloadBytes: 128, replicas: 1 },
    { suffix: '1KiB', payloadBytes: 1024, replicas: 1 },
    { suffix: 'R3', payloadBytes: 128, replicas: 3 },
    { suffix: 'R3-1KiB', payloadBytes: 1024, replicas: 3 },
  ],
  messages: { quick: 10_000, full: 60_000 },
  floor: { ratioToPlain: 2, ratioToLean: 0.85 },
  goal: { ratioToPlain: 2.5, ratioToLean: 0.95 },
  prepare: anEmptyStream,
}
