import type { Scenario } from '../../scenario.ts'

export const scenario: Scenario = {
  title:
    'POST /centers of distribution-center, 32 connections; the twin is a route that validates the same and publishes once',
  message: 'one request answered with 202, its event stored',
  variants: { mesh: ['mesh.ts'], plain: ['plain.ts'] },
  cases: [{ payloadBytes: 128, replicas: 1 }],
  messages: { quick: 500, full: 10_000 },
  floor: { ratioToPlain: 0.7 },
  goal: { ratioToPlain: 0.9 },
}
