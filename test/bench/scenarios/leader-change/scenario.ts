import { anEmptyStream } from '../../orders-stream.ts'
import type { Scenario } from '../../scenario.ts'
import { killOfOwnServer, stepDownsAndKill } from './events.ts'

export const scenario: Scenario = {
  title:
    'How long nothing is delivered of 200 orders a second when a leader steps down, or its server is killed; a gap of 30 s was longer',
  message: 'one event published, stored on three servers, handled and acked',
  variants: { mesh: ['mesh.ts'], plain: ['plain.ts'] },
  cases: [
    { payloadBytes: 128, replicas: 3, settings: { event: 'leaders' } },
    // Here the client has to find another server, too.
    {
      suffix: 'own-server',
      payloadBytes: 128,
      replicas: 3,
      settings: { event: 'own-server' },
      floor: { killBeyondElectionMs: 500 },
      goal: { killBeyondElectionMs: 200 },
    },
  ],
  // A second.
  messages: { full: 200 },
  rounds: 5,
  floor: { streamStepDownMs: 500, consumerStepDownMs: 500, killBeyondElectionMs: 500 },
  goal: { streamStepDownMs: 200, consumerStepDownMs: 200, killBeyondElectionMs: 200 },
  ratioOf: 'killMs',
  prepare: anEmptyStream,
  servers: 'all',
  round: (turn) => (turn.settings['event'] === 'leaders' ? stepDownsAndKill(turn) : killOfOwnServer(turn)),
}
