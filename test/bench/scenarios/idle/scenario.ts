import type { Scenario } from '../../scenario.ts'

export const scenario: Scenario = {
  title: 'A service at rest, beside a process that imports the same libraries and connects',
  message: 'one process started, ready and at rest',
  variants: { mesh: ['mesh.ts'], bare: ['bare.ts'] },
  cases: [{ payloadBytes: 128, replicas: 1 }],
  messages: { full: 1 },
  floor: { rssToBare: 1.15, readyToBare: 1.3 },
  goal: { rssToBare: 1.05, readyToBare: 1.1 },
}
