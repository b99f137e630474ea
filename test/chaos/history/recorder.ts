import { fstatSync, openSync, readSync, writeSync } from 'node:fs'
import type { Operation } from './operation.ts'

/** Omit that keeps the variants of a union apart. */
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never

/** An operation as its process knows it. `at`: when it happened, if that is not now. */
export type Recorded = Without<Operation, 'at' | 'process'> & { at?: number }

/** Writes down what one process does. */
export interface Recorder {
  /** Ms since the run began. */
  now(): number
  /** Is in the file when it returns: SIGKILL does not take it back. */
  record(operation: Recorded): void
}

export type RecorderOptions = {
  process: string
  file: string
  /** When the run began, by `process.hrtime.bigint()`, which all processes of a machine share. */
  beganNs: bigint
}

export function openRecorder({ process: name, file, beganNs }: RecorderOptions): Recorder {
  const fd = openSync(file, 'a+')
  // A line that a kill cut must not take the next one with it.
  if (!endsWithNewline(fd)) writeSync(fd, '\n')
  const now = (): number => Number((process.hrtime.bigint() - beganNs) / 1000n) / 1000
  return {
    now,
    record: (operation) =>
      void writeSync(fd, `${JSON.stringify({ ...operation, at: operation.at ?? now(), process: name })}\n`),
  }
}

/** What a process of the run finds in its environment. */
export function recorderEnv({ process: name, file, beganNs }: RecorderOptions): Record<string, string> {
  return { CHAOS_PROCESS: name, CHAOS_OPERATIONS: file, CHAOS_BEGAN_NS: String(beganNs) }
}

export function recorderOf(env: NodeJS.ProcessEnv): Recorder {
  const { CHAOS_PROCESS: name = '', CHAOS_OPERATIONS: file = '', CHAOS_BEGAN_NS: beganNs = '0' } = env
  return openRecorder({ process: name, file, beganNs: BigInt(beganNs) })
}

function endsWithNewline(fd: number): boolean {
  const { size } = fstatSync(fd)
  const last = Buffer.alloc(1)
  return size === 0 || (readSync(fd, last, 0, 1, size - 1) === 1 && last.toString() === '\n')
}
