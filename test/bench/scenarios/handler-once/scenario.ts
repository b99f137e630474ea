import type { Scenario } from '../../scenario.ts'
import { scenario as handlerPublish } from '../handler-publish/scenario.ts'

export const scenario: Scenario = {
  title: 'Handle stored events with a handler whose one event is stored exactly once; beside one that may repeat it',
  message: 'one stored event handled, an event and a marker stored for it in one batch, then acked',
  variants: { mesh: ['mesh.ts'], handlerPublish: ['../handler-publish/mesh.ts'] },
  cases: [
    {
      payloadBytes: 128,
      replicas: 1,
      // The server opens a store for each batch of a stream that has no replicas.
      floor: { ratioToHandlerPublish: 0.15 },
      goal: { ratioToHandlerPublish: 0.3 },
    },
    { suffix: 'R3', payloadBytes: 128, replicas: 3 },
  ],
  messages: { quick: 3000, full: 40_000 },
  floor: { ratioToHandlerPublish: 0.5 },
  goal: { ratioToHandlerPublish: 0.8 },
  prepare: handlerPublish.prepare!,
}
