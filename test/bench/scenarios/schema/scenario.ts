import { aFilledStream, anEmptyStream } from '../../orders-stream.ts'
import type { Scenario } from '../../scenario.ts'

export const scenario: Scenario = {
  title: 'What a zod schema costs beside the validator itself: CPU with it, less CPU without, less the validator alone',
  message: 'one event published and stored; in the other case one handled and acked',
  variants: { mesh: ['mesh.ts'], unchecked: ['unchecked.ts'] },
  cases: [
    { payloadBytes: 128, replicas: 1, settings: { end: 'publish' } },
    {
      suffix: 'consume',
      payloadBytes: 128,
      replicas: 1,
      settings: { end: 'consume' },
      messages: { quick: 10_000, full: 60_000 },
    },
  ],
  messages: { quick: 10_000, full: 60_000 },
  ratioOf: 'cpuUsPerMessage',
  floor: { overheadUs: 6 },
  goal: { overheadUs: 3 },
  prepare: (place) => (place.case.settings?.['end'] === 'consume' ? aFilledStream(place) : anEmptyStream(place)),
  derive: ({ mesh, unchecked }) => ({
    overheadUs: mesh!['cpuUsPerMessage']! - unchecked!['cpuUsPerMessage']! - mesh!['validatorUs']!,
  }),
}
