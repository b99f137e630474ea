import { aFilledStream } from '../../orders-stream.ts'
import type { Scenario } from '../../scenario.ts'

export const scenario: Scenario = {
  title: 'Handle what is stored with a typed handler that is done at once, retry and dead letters armed',
  message: 'one stored event handled and acked',
  variants: { mesh: ['mesh.ts'], plain: ['plain.ts'], lean: ['lean.ts'] },
  cases: [
    { payloadBytes: 128, replicas: 1 },
    { suffix: '1KiB', payloadBytes: 1024, replicas: 1 },
    { suffix: 'R3', payloadBytes: 128, replicas: 3 },
    { suffix: 'R3-1KiB', payloadBytes: 1024, replicas: 3 },
  ],
  messages: { quick: 15_000, full: 100_000 },
  floor: { ratioToPlain: 1.5, ratioToLean: 0.8, cpuToPlain: 0.6 },
  goal: { ratioToPlain: 2, ratioToLean: 0.95, cpuToPlain: 0.6 },
  /** All variants read the very same messages, which the mesh stored. */
  prepare: aFilledStream,
}
