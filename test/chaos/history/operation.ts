import type { Edited, LostStream } from '../nemeses/nemesis.ts'

/**
 * What a run writes down: one line of JSON each, appended by whoever did it to a file of its own (`<process>.jsonl`).
 * A SIGKILL may cut the last line of a process, and no other.
 *
 * `at` is in ms since the run began, by the machine's monotonic clock, which all processes share and no clock jump moves.
 * `handler` is `<service>.<name>`. `id` is the `ce-id`.
 */
export type Operation =
  /** `invoke` before `mesh.publish` is called, the other one after it: `fail` was refused for good, `unknown` timed out. */
  | {
      op: 'publish'
      phase: 'invoke' | 'ok' | 'fail' | 'unknown'
      id: string
      type: string
      key?: string
      /** Position among the key's publishes, from 0. */
      n?: number
      /** A delayed message: not before then. */
      due?: number
      /** Of one that is unknown and should not have ended so: the code of the error, or its name. */
      fault?: string
      at: number
      process: string
    }
  /** A process that publishes does so no more, and all that it published is answered. */
  | { op: 'answered'; at: number; process: string }
  /** A handler begins. */
  | { op: 'delivery'; handler: string; id: string; attempt: number; at: number; process: string }
  /** The outside world saw it: written by the effect ledger or a partner, in the order they saw it. `of`: whose data it was. */
  | { op: 'effect'; handler: string; id: string; key?: string; n?: number; of?: string; at: number; process: string }
  /** The inbox of its handler knows it as handled. */
  | { op: 'handled'; handler: string; id: string; at: number; process: string }
  /** The mesh sent the ack of it. */
  | { op: 'ack'; handler: string; id: string; at: number; process: string }
  /** `lost`: a stream that its operator deleted before this was written; `edited`: letters that one corrected, or tried to. */
  | {
      op: 'nemesis'
      phase: 'begin' | 'end'
      name: string
      target: string
      lost?: LostStream
      edited?: readonly Edited[]
      at: number
    }
